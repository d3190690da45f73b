"""The table of the shipped generators."""

import json
from pathlib import Path

from facekit.hub import generator_digest
from facekit.shipped import ZOO
from training.generators import generators_section

RECORD = {
    "reference": "some photos",
    "verdict": "healthy",
    "reasons": ["So it is."],
    "vendi": 123.4,
    "natural": {"vendi": 234.5},
    "frechet": 45.67,
    "frechet_floor": 7.8,
    "coverage": 0.5,
    "recall": 0.25,
    "precision": 0.75,
    "duplicate_rate": 0.125,
    "attribute_tv": 0.0625,
}


def test_a_record_of_these_very_weights_is_told(tmp_path: Path) -> None:
    digest = generator_digest(ZOO / "dcgan-conditional")
    (tmp_path / "a.json").write_text(json.dumps(RECORD | {"digest": "of others", "verdict": "collapsed"}))
    assert generators_section(tmp_path) == ""
    (tmp_path / "b.json").write_text(json.dumps(RECORD | {"digest": digest}))
    text = generators_section(tmp_path)
    assert "| `dcgan-conditional` | healthy | " in text and " | 30 | 123 | 234 | 45.7 | 7.8 |" in text
    assert "| 12.5 % | " in text and "`dcgan-conditional`: healthy. So it is." in text and "(some photos)" in text
    assert "collapsed" not in text


def test_every_shipped_generator_has_a_record() -> None:
    assert all(f"| `{file.parent.name}` |" in generators_section() for file in ZOO.glob("*/model_index.json"))
