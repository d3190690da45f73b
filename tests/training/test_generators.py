"""The table of the shipped generators."""

import json
from pathlib import Path
from shutil import copytree

import pytest

import training.generators
from facekit.hub import ZOO
from training.generators import generators_section


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    copytree(ZOO / "dcgan-conditional", tmp_path / "dcgan-conditional")
    return tmp_path


def test_the_last_judged_epoch_is_told(zoo: Path) -> None:
    log = zoo / "dcgan-conditional/growth/log.jsonl"
    judged = [record for line in log.read_text().splitlines() if "verdict" in (record := json.loads(line))]
    told = {**judged[-1], "vendi": 123.4, "frechet": 45.67, "duplicate_rate": 0.125, "reasons": ["So it is."]}
    later = {"epoch": told["epoch"] + 1, "step": told["step"] + 1}
    log.write_text("".join(json.dumps(record) + "\n" for record in [*judged[:-1], told, later]))
    text = generators_section(zoo)
    assert f"| `dcgan-conditional` | {told['verdict']} | " in text and f"| {told['epoch']} | 123 | " in text
    assert (
        "| 45.7 | " in text and "| 12.5 % | " in text and f"`dcgan-conditional`: {told['verdict']}. So it is." in text
    )


def test_nothing_is_told_of_what_was_not_judged(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = zoo / "dcgan-conditional/growth/log.jsonl"
    log.write_text('{"epoch": 1, "step": 5}\n')
    monkeypatch.setattr(training.generators, "shipped", lambda kind: ["dcgan-conditional"])
    assert generators_section(zoo) == ""
