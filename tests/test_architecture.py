"""The layers hold: arrows between modules point one way only, and no file outgrows its idea."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facekit

ROOT = Path(facekit.__file__).parent.parent
FILES = sorted(file for package in ("facekit", "training", "tests") for file in (ROOT / package).rglob("*.py"))
LIBRARY = [file for file in FILES if file.is_relative_to(ROOT / "facekit")]


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: name the package, not its dots"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(package: str, files: list[Path]) -> list[Path]:
    return [file for file in files if any(f"{name}.".startswith(f"{package}.") for name in imports(file))]


def test_facekit_never_imports_training() -> None:
    assert importers("training", LIBRARY) == []


def test_only_the_page_imports_gradio() -> None:
    page = ROOT / "facekit" / "ui"
    assert [file for file in importers("gradio", LIBRARY) if not file.is_relative_to(page)] == []


def test_training_never_imports_the_page() -> None:
    assert importers("facekit.ui", [file for file in FILES if file.is_relative_to(ROOT / "training")]) == []


def test_the_page_is_built_before_anything_heavy_is_imported() -> None:
    built = "import sys; from facekit.ui.engine import Engine; from facekit.ui.page import build; build(Engine());"
    heavy = "print([name for name in ('torch', 'torchvision', 'diffusers', 'captum') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", built + heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_nothing_is_unpickled() -> None:
    for file in LIBRARY:
        assert "pickle" not in {name.split(".")[0] for name in imports(file)}, file
        assert "torch.load(" not in file.read_text(encoding="utf-8"), file


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 450


def test_public_names_are_complete() -> None:
    """`__all__` holds every name that is public, each can be had, and type checkers see the same ones."""
    tree = ast.parse(Path(facekit.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("facekit.")
        for alias in node.names
    }
    assert typed | {"__version__"} == set(facekit.__all__)
    assert sorted(facekit.__all__) == list(facekit.__all__) == dir(facekit)
    for name in facekit.__all__:
        assert getattr(facekit, name) is not None
    with pytest.raises(AttributeError):
        _ = facekit.nothing_of_that_name
