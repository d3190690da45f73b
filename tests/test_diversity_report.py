"""From two samples of faces to a report: figures, their spread, the verdict and its words."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from facekit.attribute_coverage import AttributeCoverage
from facekit.diversity import (
    FaceSample,
    Figures,
    Scale,
    compare,
    diversity_beside_known,
    diversity_report,
    judge,
    read_known,
)
from facekit.diversity.figures import spread
from facekit.diversity.known import COUNTS, describe
from facekit.diversity.report import FEWEST
from facekit.diversity.verdict import COLLAPSED, MISSED, SHIFTED, THIN, UNFORMED, number, percent
from facekit.errors import DataError
from facekit.labels import ATTRIBUTES

MALE, BLOND, BLACK = (ATTRIBUTES.index(name) for name in ("Male", "Blond_Hair", "Black_Hair"))


def people(count: int, seed: int, *, men: float = 0.5, blond: float = 0.5, width: int = 16) -> FaceSample:
    """Different faces, of which so many are men; the others' hair is black. Men lie elsewhere than women."""
    random = np.random.default_rng(seed)
    attributes = np.full((count, 40), 0.1, np.float32)
    attributes[:, MALE] = random.random(count) < men
    attributes[:, BLOND] = random.random(count) < blond
    attributes[:, BLACK] = 1 - attributes[:, BLOND]
    embeddings = random.normal(size=(count, width)).astype(np.float32)
    embeddings[:, 0] += 8 * attributes[:, MALE]
    embeddings[:, 1] += 8 * attributes[:, BLOND]
    return FaceSample(torch.from_numpy(embeddings), attributes)


def copies(of: FaceSample, faces: int, count: int, seed: int = 5) -> FaceSample:
    rows = np.random.default_rng(seed).integers(faces, size=count)
    drawn = of[rows]
    noise = torch.randn(drawn.embeddings.shape, generator=torch.Generator().manual_seed(seed))
    return FaceSample(drawn.embeddings + 0.01 * noise, drawn.attributes)


REAL = people(600, 0)
FIGURES = Figures(280, 0.01, math.inf, 0.95, 0.05, 0.95, 0.9, 0.9, 1.0, 3.0, 0.0)
EVEN = {
    (gender, hair): 0.25 if hair in ("black", "blond") else 0.0
    for gender in ("woman", "man")
    for hair in ("black", "blond", "brown", "grey", "other")
}
SAME = AttributeCoverage(EVEN, EVEN)


def test_other_real_faces_are_healthy() -> None:
    report = diversity_report(people(300, 1), REAL, rounds=4)
    assert report.verdict == "healthy" and report.samples == report.compared == 300
    assert report.made.frechet == pytest.approx(report.natural.frechet, rel=0.3)
    assert report.made.vendi == pytest.approx(report.natural.vendi, rel=0.05)
    assert f"{report.made.vendi:.0f} different faces" in report.reasons[0]


def test_copies_of_few_faces_are_collapsed_and_the_words_say_how_many() -> None:
    report = diversity_report(copies(people(300, 1), 9, 300), REAL, rounds=0)
    assert report.verdict == "collapsed" and report.spread == {}
    assert report.made.duplicate_rate > 0.99 and report.made.support == pytest.approx(9, rel=0.2)
    assert any(f"300 samples hold about {number(report.made.vendi)} different faces" in one for one in report.reasons)
    assert report.made.vendi == pytest.approx(9, rel=0.1)


def test_only_one_group_is_thinning_and_named() -> None:
    report = diversity_report(people(300, 1, men=0, blond=0.95), REAL, rounds=0)
    assert report.verdict == "thinning"
    share, data = (side["woman", "blond"] for side in (report.groups.made, report.groups.data))
    assert report.reasons[0] == f"{percent(share)} women with blond hair; the data has {percent(data)}."
    assert "men with black or blond hair" in " ".join(report.reasons).lower()
    assert report.made.attribute_tv == pytest.approx(report.groups.total_variation)


def test_the_reference_is_as_large_as_the_sample_on_both_sides() -> None:
    few = diversity_report(people(100, 1), REAL, rounds=0)
    many = diversity_report(people(900, 1), REAL, rounds=0)
    assert few.compared == 100 and (many.samples, many.compared) == (900, 300)
    assert few.natural.frechet > 2 * many.natural.frechet > 0  # the floor is that of the sample's size


def test_the_same_seed_gives_the_same_report() -> None:
    one, same, other = (diversity_report(people(100, 1), REAL, seed=seed, rounds=3) for seed in (1, 1, 2))
    assert one.to_dict() == same.to_dict() != other.to_dict()


def test_too_few_faces() -> None:
    with pytest.raises(DataError, match=f"29 faces are too few .* {FEWEST} are needed"):
        diversity_report(people(29, 1), REAL)
    with pytest.raises(DataError, match="59 real faces are too few"):
        diversity_report(people(100, 1), people(59, 0))


@pytest.mark.parametrize("value", [1.0, 7.3])
def test_a_reference_of_one_picture(value: float) -> None:
    real = FaceSample(torch.full((100, 512), value), people(100, 0).attributes)
    with pytest.raises(DataError, match="name a reference with different faces"):
        diversity_report(people(100, 1, width=512), real)


def test_the_json_has_every_figure_and_nothing_infinite() -> None:
    report = diversity_report(people(100, 1), people(200, 3), rounds=3)
    record = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    names = "verdict reasons vendi coverage precision recall density frechet frechet_floor kid duplicate_rate"
    assert {*names.split(), "attribute_tv", "samples", "support", "spread", "vanished", "groups"} <= record.keys()
    assert record["frechet_floor"] == record["natural"]["frechet"]
    assert sum(group["made"] for group in record["groups"]) == pytest.approx(1)
    far = replace(report.made, support=math.inf)
    assert replace(report, made=far).to_dict()["support"] is None


def test_the_spread_is_how_far_other_samples_lie() -> None:
    """Its width is that of the figure over many samples of the same people, within a factor of two."""
    scale = Scale.of(REAL.embeddings)
    seen = [asdict(compare(people(200, seed), REAL[:200], scale)) for seed in range(10, 30)]
    sample, random = people(200, 9), np.random.default_rng(0)
    halves = [
        compare(sample[random.permutation(200)[:100]], REAL[random.permutation(200)[:100]], scale) for _ in range(30)
    ]
    found = spread(compare(sample, REAL[:200], scale), halves, 200)
    for name in ("attribute_tv", "coverage", "precision", "vendi"):
        low, high = found[name]
        width = float(np.ptp(np.percentile([one[name] for one in seen], (2.5, 97.5))))
        assert low < high and width / 3 < high - low < 3 * width, (name, high - low, width)


def test_a_spread_stays_where_its_figure_can_be() -> None:
    whole = replace(FIGURES, vendi=300, coverage=0.99, frechet=0.01)
    halves = [replace(FIGURES, vendi=140 + i, coverage=0.8 + 0.02 * i, frechet=i) for i in range(5)]
    found = spread(whole, halves, 300)
    assert found["vendi"][1] == 300 and found["coverage"][1] == 1 and found["frechet"][0] == 0


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "healthy"),
        ({"vendi": 280 * (THIN + 0.01)}, "healthy"),
        ({"vendi": 280 * (THIN - 0.01)}, "thinning"),
        ({"vendi": 280 * (COLLAPSED - 0.01)}, "collapsed"),
        ({"vendi": 280 * (COLLAPSED - 0.01), "formed": UNFORMED - 0.01}, "unformed"),
        ({"formed": UNFORMED - 0.01}, "healthy"),
        ({"coverage": 0.95 * (MISSED - 0.01)}, "thinning"),
        ({"attribute_tv": 0.05 + SHIFTED + 0.01}, "thinning"),
        ({"frechet": 50.0, "kid": 0.2}, "healthy"),
    ],
)
def test_each_threshold(changes: dict[str, float], verdict: str) -> None:
    found = judge(300, replace(FIGURES, **changes), FIGURES, SAME)
    assert found.verdict == verdict and found.reasons
    assert all(sentence.endswith(".") for sentence in found.reasons)


def test_groups_that_have_vanished_are_reason_enough() -> None:
    gone = AttributeCoverage({**EVEN, ("man", "black"): 0.0, ("man", "blond"): 0.5}, EVEN)
    found = judge(300, FIGURES, FIGURES, gone)
    assert found.verdict == "thinning" and found.reasons == (
        "Men with black hair, 25 % of the data, have all but vanished.",
    )


def test_a_shift_that_narrows_nothing_is_told_by_its_largest_group() -> None:
    made = {("woman", "blond"): 0.52, ("woman", "black"): 0.2, ("man", "blond"): 0.14, ("man", "black"): 0.14}
    shifted = AttributeCoverage({**EVEN, **made}, EVEN)
    figures = replace(FIGURES, attribute_tv=shifted.total_variation)
    (told,) = judge(300, figures, FIGURES, shifted).reasons
    assert told.startswith("27 % would have to change gender or hair colour")
    assert told.endswith("52 % women with blond hair, for example, where the data has 25 %.")


def test_numbers_are_written_as_people_would() -> None:
    assert [number(value) for value in (1.04, 1.4, 8.6, 9.96, 1234.5)] == ["1", "1.4", "8.6", "10", "1,234"]
    assert [percent(share) for share in (0, 0.004, 0.944, 1)] == ["0 %", "0.4 %", "94 %", "100 %"]
    assert percent(0.0004) == "under 0.1 %"
    for vendi, words in ((1.04, "1 different face;"), (1.05, "1.1 different faces;"), (1.3, "1.3 different faces;")):
        assert words in judge(300, replace(FIGURES, vendi=vendi), FIGURES, SAME).reasons[0]


@pytest.mark.parametrize("size", [28, 64, 112])
def test_what_is_known_of_real_faces(size: int) -> None:
    """More faces stand nearer to each other, and hold nearly as many different ones."""
    known = [read_known(size, count) for count in (50, 120, 300, 1000, 5000)]
    assert [one.count for one in known] == [50, 120, 300, 1000, 1000]
    assert all(0.85 < one.natural.vendi / one.count <= 1 for one in known)
    apart = [one.scale.apart for one in known[:4]]
    assert apart == sorted(apart, reverse=True) and all(one.scale.same < one.scale.apart for one in known)
    assert sum(known[0].groups.values()) == pytest.approx(1, abs=1e-4)


def test_describe_and_read_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    described = describe(people(2 * COUNTS[2], 0), 64, COUNTS[:3])
    monkeypatch.setattr("facekit.diversity.known._read", lambda: {"data": "people", "portraits": [described]})
    monkeypatch.setattr("facekit.diversity.known.COUNTS", COUNTS[:3])
    known = read_known(64, 200)
    assert known.count == 200 and known.natural.vendi == pytest.approx(
        diversity_report(people(200, 2), people(400, 0), rounds=0).natural.vendi, rel=0.03
    )
    healthy = diversity_beside_known(people(200, 1), known, rounds=3)
    assert healthy.verdict == "healthy" and healthy.made.coverage is None and "coverage" not in healthy.spread
    assert diversity_beside_known(copies(people(200, 1), 5, 200), known, rounds=0).verdict == "collapsed"
    narrow = diversity_beside_known(people(200, 1, men=0.0), known, rounds=0)
    assert narrow.verdict == "thinning" and "women" in narrow.reasons[0].lower()
    with pytest.raises(DataError, match="too few"):
        diversity_beside_known(people(5, 1), known)
