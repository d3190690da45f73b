"""The cases that verdicts are measured on are what their names say, and the tallies count them right."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

import facekit.analyze
from facekit.diversity import Verdict, diversity_report
from facekit.generate import FaceGenerator
from facekit.labels import ATTRIBUTES
from facekit.nets.dcgan import DcganGenerator
from tests.test_cli_diversity import ReadsBlocks
from tests.test_diversity_report import people
from training.data.prepare import Prepared
from training.verdicts import PLANS, Case, Portraits, _cases, measure_verdicts, verdicts_table

MALE, BLOND, BLACK = (ATTRIBUTES.index(name) for name in ("Male", "Blond_Hair", "Black_Hair"))


def faces(count: int, seed: int) -> Prepared:
    """Each of its own colours; their number is also in the labels' first column."""
    random = np.random.default_rng(seed)
    crops = random.integers(0, 256, (count, 5, 5, 3), dtype=np.uint8).repeat(32, 1).repeat(29, 2)[:, :160, :144]
    attributes = random.integers(0, 2, (count, 40)).astype(np.float32)
    return Prepared(
        "faces", crops, {"attributes": attributes, "file": np.arange(count).astype(str)}, np.ones(count, bool)
    )


def different(portraits: Portraits) -> int:
    """How many faces, up to a little jitter: their blocks of colour correlate where they are the same."""
    blocks = np.stack([cv2.resize(one, (8, 8), interpolation=cv2.INTER_AREA).reshape(-1) for one in portraits])
    alike = np.corrcoef(blocks) > 0.6
    found: list[int] = []
    for i in range(len(alike)):
        if not alike[i, found].any():
            found.append(i)
    return len(found)


def test_the_samples_are_what_they_are_called() -> None:
    torch.manual_seed(0)
    generator = FaceGenerator(DcganGenerator(size=16, width=4, latent=8).eval())
    for plan in PLANS.values():
        cases = {name: (expected, made) for name, expected, made in _cases(plan, faces(400, 0), generator, 150)}
        assert {expected[0] for expected, _ in cases.values()} == {"healthy", "collapsed", "thinning"}
        assert {len(made) for _, made in cases.values()} >= {150, 75, 30}
        assert cases["75 real, 32 px"][1].shape == (75, 32, 32, 3) and different(cases["30 real, 64 px"][1]) == 30
        for number in (round(plan.few[1] * 0.3), round(plan.few[2] * 0.3)):
            assert different(cases[f"copies of {number}"][1]) == number
        drawn = cases[f"drawn from {plan.latents[1]} latents"][1].reshape(150, -1).astype(float)
        same, other = (np.abs(drawn[0] - drawn[i]).mean() for i in (plan.latents[1], 1))
        assert same < 0.3 * other


def test_the_two_parts_share_no_case() -> None:
    one, other = PLANS.values()
    for field in ("few", "many", "groups", "latents"):
        assert not set(getattr(one, field)) & set(getattr(other, field))
    assert one.seed != other.seed and one.copied != other.copied


def test_measured_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_pretrained(name: str | None = None) -> Any:
        return ReadsBlocks()

    monkeypatch.setattr(facekit.analyze.FaceAnalyzer, "from_pretrained", from_pretrained)
    cases = measure_verdicts([faces(320, 0)], [faces(200, 1)], [], None, 150)
    assert {case.part for case in cases} == {"tuning", "held out"}
    by_name = {(case.part, case.name): case for case in cases}
    assert by_name["tuning", "copies of 6"].report.verdict == "collapsed"
    assert (
        5
        < by_name["tuning", "copies of 6"].report.made.vendi
        < 20
        < by_name["tuning", "copies of 6"].report.natural.vendi
    )
    assert by_name["held out", "women"].report.groups.made["man", "other"] < 1
    assert cases[0].to_dict()["outcome"] == cases[0].outcome


def test_outcomes_are_tallied() -> None:
    report = diversity_report(people(100, 1), people(200, 0), rounds=0)
    assert report.verdict == "healthy"
    words: list[tuple[tuple[Verdict, ...], str]] = [(("healthy",), "right"), (("collapsed",), "miss"), ((), "")]
    cases = [Case("tuning", "a", expected, report) for expected, _ in words]
    assert [case.outcome for case in cases] == [outcome for _, outcome in words]
    alarmed = diversity_report(people(100, 1, men=0), people(200, 0), rounds=0)
    cases += [Case("tuning", "b", ("healthy",), alarmed), Case("tuning", "c", ("collapsed",), alarmed)]
    assert [case.outcome for case in cases[3:]] == ["false alarm", "other word"]
    screen = io.StringIO()
    Console(file=screen, width=120).print(verdicts_table(cases))
    tuning = next(line.split() for line in screen.getvalue().splitlines() if line.split()[:1] == ["tuning"])
    assert tuning == ["tuning", "5", "1", "1", "1", "1"]
