# One virtual environment, reused until a file that decides its content changes.
PYTHON ?= python3.11
BIN := .venv/bin
export GRADIO_ANALYTICS_ENABLED := False
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: app test lint browser bench clean

app: .venv/runtime
	$(BIN)/python app.py

test: .venv/development
	$(BIN)/python -m pytest tests --ignore tests/browser --ignore tests/benchmarks

browser: .venv/development
	$(BIN)/python -m pytest tests/browser

bench: .venv/development
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks -s

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy facekit training

.venv/runtime: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

.venv/development: .venv/runtime pyproject.toml
	$(BIN)/pip install --quiet --constraint requirements.txt --editable ".[train,dev]"
	touch $@

clean:
	rm -rf .venv
