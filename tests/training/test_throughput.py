from pathlib import Path

import pytest

import training.throughput
from training.recipe import load_recipe
from training.records import Record
from training.throughput import throughput, throughput_section


@pytest.mark.parametrize("name", ["imdbwiki-age-regression", "vgg-face-multi4"])
def test_a_recipe_is_timed_beside_plain_pytorch(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.throughput, "_PICTURES", 60)
    where = [f"data_root={shared_data}", f"cache={tmp_path / 'crops'}", f"runs={tmp_path / 'runs'}"]
    recipe = load_recipe(name, where, small=True)
    line = throughput(recipe, steps=1, rounds=1)
    assert line["recipe"] == f"{name}-small"
    assert line["size"] == recipe.input_size and line["batch"] == 64
    assert line["pictures_per_second"] > 0 and line["plain_pictures_per_second"] > 0
    assert line["gain"] == pytest.approx(line["pictures_per_second"] / line["plain_pictures_per_second"], abs=0.01)
    assert 0 <= line["waiting"] < 1
    assert not (tmp_path / "runs").exists()  # it leaves no run behind


def test_the_section_names_every_recipe_once() -> None:
    line: Record = {
        "recipe": "faces",
        "hardware": "CPU, 2 threads",
        "batch": 64,
        "size": [84, 96],
        "pictures_per_second": 215.9,
        "plain_pictures_per_second": 150.2,
        "gain": 1.44,
        "waiting": 0.1067,
    }
    text = throughput_section([line, line | {"recipe": "attributes-age"}])
    assert "| `faces` | CPU, 2 threads | 64 | 84x96 | 216 | 150 | 1.44 | 10.7 % |" in text
    assert text.index("`attributes-age`") < text.index("`faces`")
    assert throughput_section([]) == ""
