"""The gate on made answers, whose differences are known, and on the shipped networks."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from facekit.analyze import FaceAnalyzer
from facekit.answers import Answers
from facekit.detect import Detections
from facekit.errors import DataError
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training import cli_gate
from training.cli import app
from training.data import LabelArrays, Source
from training.evaluate import read_source
from training.gate import EXIT_STATUS, GateResult, Limits, Pair, Speed, compare, gate, markdown, to_record
from training.gate.statistics import Gains, corrected, detectable, tango, tango_z
from training.gate.verdict import DEFINITION

N = 2000
MALE, YOUNG, GLASSES = (ATTRIBUTES.index(name) for name in ("Male", "Young", "Eyeglasses"))
SILENT: dict[str, None] = dict.fromkeys(
    ("attributes", "unsure_attributes", "gender", "age", "years", "low", "high", "expression", "unsure_expression")
)


def people(count: int = N, seed: int = 0) -> LabelArrays:
    """CelebA's labels, of faces drawn at random."""
    random = np.random.default_rng(seed)
    attributes = (random.random((count, 40)) < 0.3).astype(np.float32)
    return {"file": np.arange(count).astype(str), "attributes": attributes, "gender": attributes[:, MALE].copy()}


def answers(labels: LabelArrays, wrong: float | NDArray[np.float64] = 0.1, *, seed: int = 1) -> Answers:
    """Each attribute wrong with a probability, one for all or (N, 40), and 1 - probability sure of it."""
    random = np.random.default_rng(seed)
    flip = random.random(labels["attributes"].shape) < wrong
    p = np.where(labels["attributes"] != flip, 0.9, 0.1).astype(np.float32)
    return Answers(**SILENT | {"attributes": p, "unsure_attributes": np.zeros(p.shape, bool), "gender": p[:, MALE]})  # type: ignore[arg-type]


def aged(error: NDArray[np.float64], count: int = N) -> tuple[LabelArrays, Answers]:
    """UTKFace's labels, and ages that are off by `error` (N,) years."""
    random = np.random.default_rng(5)
    truth = random.integers(10, 80, count).astype(np.float32)
    race = random.choice(["asian", "black", "white"], count)
    labels = {
        "file": np.arange(count).astype(str),
        "age": truth,
        "race": race,
        "gender": random.integers(2, size=count),
    }
    labels["gender"] = labels["gender"].astype(np.float32)
    years = (truth + error).astype(np.float32)
    age = np.full((count, 101), 1 / 101, np.float32)
    return labels, Answers(**SILENT | {"age": age, "years": years, "low": years - 5, "high": years + 5})  # type: ignore[arg-type]


def judged(labels: LabelArrays, candidate: Answers, baseline: Answers, **limits: float) -> GateResult:
    allowed = Limits(**limits)
    comparisons, lost = compare({"made": Pair(labels, candidate, baseline)}, allowed, resamples=100)
    return GateResult("new", "old", {"made": len(labels["file"])}, tuple(comparisons), tuple(lost), limits=allowed)


def found(result: GateResult, family: str) -> dict[tuple[str, ...], str]:
    """Finding by name and group."""
    return {
        (one.name, *one.of.values()): one.finding for one in result.comparisons if one.family == family and one.finding
    }


def test_the_same_answers_are_not_worse() -> None:
    labels = people()
    result = judged(labels, answers(labels), answers(labels))
    assert result.verdict == "not worse"
    assert result.reasons == []
    assert result.sentence.startswith("No difference was found on made.")
    assert all(one.gain == 0 for one in result.comparisons)


def test_one_question_alone_makes_it_worse() -> None:
    labels = people()
    wrong = np.full((N, 40), 0.1)
    wrong[:, GLASSES] = 0.2
    result = judged(labels, answers(labels, wrong), answers(labels))
    assert result.verdict == "worse"
    assert found(result, "questions") == {("Eyeglasses",): "worse"}
    assert "worse at " in result.sentence.lower() and "Eyeglasses" in result.sentence
    assert "loses" in result.reasons[0]


def test_better_overall_is_better_and_gender_is_asked_once() -> None:
    labels = people()
    result = judged(labels, answers(labels, 0.08), answers(labels, seed=2))
    assert result.verdict == "better"
    assert found(result, "headlines")["attributes",] == "better"
    assert not result.worse
    names = [(one.family, one.name) for one in result.comparisons if not one.of]
    assert ("headlines", "gender") in names and ("questions", "Male") not in names
    assert sum(family == "questions" for family, _ in names) == 39
    [mean] = [one for one in result.comparisons if (one.family, one.name) == ("headlines", "attributes")]
    right = [(a.attributes >= 0.5) == labels["attributes"] for a in (answers(labels, 0.08), answers(labels, seed=2))]  # type: ignore[operator]
    assert mean.gain == pytest.approx(right[0].mean() - right[1].mean())
    assert mean.low < mean.gain < mean.high


def test_better_overall_and_worse_for_older_men_is_worse() -> None:
    labels = people()
    older_men = (labels["attributes"][:, MALE] == 1) & (labels["attributes"][:, YOUNG] == 0)
    result = judged(labels, answers(labels, np.where(older_men, 0.16, 0.05)[:, None]), answers(labels, seed=2))
    assert result.verdict == "worse"
    assert found(result, "headlines")["attributes",] == "better"
    assert ("attributes", "man", "not young") in found(result, "groups")
    assert not any("woman" in of for of in found(result, "groups"))
    assert "worse for men" in result.sentence and "better at" in result.sentence.lower()


def test_a_group_may_lose_its_margin() -> None:
    labels = people(6_000)
    man = labels["attributes"][:, [MALE]] == 1
    pair = answers(labels, np.where(man, 0.125, 0.1)), answers(labels, seed=2)
    assert not found(judged(labels, *pair, margin=0.03), "groups")
    assert ("attributes", "man") in found(judged(labels, *pair, margin=0.01), "groups")


def test_a_negligible_mean_is_no_difference() -> None:
    values = np.random.default_rng(0).normal(0.001, 0.01, N)
    assert Gains(values, False).difference().p < 0.01
    assert Gains(values, False).difference(0.002).p == 1
    assert Gains(values, False).difference(0.0005).p == pytest.approx(Gains(values - 0.0005, False).difference().p)


def test_ages_count_in_years() -> None:
    random = np.random.default_rng(0)
    labels, baseline = aged(random.normal(0, 5, N))
    _, worse = aged(random.normal(0, 7, N))
    result = judged(labels, worse, baseline)
    [age] = [one for one in result.comparisons if one.family == "headlines"]
    assert age.finding == "worse"
    assert age.candidate == pytest.approx(np.abs(worse.years - labels["age"]).mean())  # type: ignore[operator]
    assert age.gain == pytest.approx(age.baseline - age.candidate)
    assert age.gain < -1
    assert " years" in result.reasons[0]
    assert ("age", "white") in found(result, "groups")
    assert judged(labels, baseline, worse).verdict == "better"


def test_small_groups_are_listed_and_not_tested() -> None:
    labels, baseline = aged(np.full(60, 3.0), 60)
    _, candidate = aged(np.full(60, 30.0), 60)
    groups = [one for one in judged(labels, candidate, baseline).comparisons if one.family == "groups"]
    assert any(one.pictures < 20 for one in groups)
    assert all(bool(one.method) == (one.pictures >= 20) for one in groups)
    assert all(not one.finding for one in groups if one.pictures < 20)


def test_overconfidence_is_worse_calibration() -> None:
    labels = people()
    sure = answers(labels)
    surer = replace(sure, attributes=np.where(sure.attributes > 0.5, 0.999, 0.001).astype(np.float32))  # type: ignore[operator]
    result = judged(labels, surer, sure)
    assert found(result, "calibration") == {("attributes",): "worse"}
    assert [one.finding for one in result.worse] == ["worse"]
    assert result.verdict == "worse" and "calibration of attributes" in result.sentence
    assert judged(labels, surer, sure, calibration=0.2).verdict == "not worse"
    assert judged(labels, sure, surer).verdict == "not worse"


def test_expression_and_its_calibration_are_compared() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, len(EXPRESSIONS), N)
    labels = {"file": np.arange(N).astype(str), "expression_label": truth}

    def told(share: float, seed: int) -> Answers:
        right = np.random.default_rng(seed).random(N) < share
        p = 0.05 + 0.65 * np.eye(7, dtype=np.float32)[np.where(right, truth, (truth + 1) % 7)]
        return Answers(**SILENT | {"expression": p, "unsure_expression": np.zeros(N, bool)})  # type: ignore[arg-type]

    result = judged(labels, told(0.75, 1), told(0.65, 2))
    assert result.verdict == "better" and found(result, "headlines") == {("expression",): "better"}
    assert [one.name for one in result.comparisons] == ["expression", "expression"]
    assert to_record(result)["questions"][0]["name"] == "expression"


def test_what_is_no_longer_answered_is_worse() -> None:
    labels = people()
    baseline = answers(labels)
    assert baseline.attributes is not None
    fewer = baseline.attributes.copy()
    fewer[:, GLASSES] = np.nan
    result = judged(labels, replace(baseline, attributes=fewer), baseline)
    assert result.lost == ("Eyeglasses (made)",)
    assert result.verdict == "worse" and result.reasons[0] == "worse: does not answer Eyeglasses (made)"
    assert judged(labels, baseline, replace(baseline, attributes=fewer)).verdict == "not worse"  # more is no loss


def test_silence_on_some_pictures_is_no_way_through_the_gate() -> None:
    labels, baseline = aged(np.full(60, 2.0), 60)
    assert baseline.years is not None
    silent = baseline.years.copy()
    silent[7] = np.nan
    result = judged(labels, replace(baseline, years=silent), baseline)
    assert result.lost == ("age (made)",) and result.verdict == "worse"
    assert judged(labels, baseline, replace(baseline, years=silent)).lost == ()


def test_limits_on_size_and_time() -> None:
    labels = people()
    result = judged(labels, answers(labels, 0.05), answers(labels))
    assert result.verdict == "better"
    slow = replace(result, speed=Speed(16.0, 10.0), megabytes=(24.0, 11.0))
    assert slow.verdict == "worse" and slow.reasons[0] == "worse: 1.60 times the baseline's time per face, over 1.5"
    assert replace(slow, limits=Limits(slowdown=2.0)).verdict == "better"
    assert replace(slow, speed=Speed(9.0, 10.0)).verdict == "better"
    assert "25.1 MB" in replace(result, megabytes=(25.1, 11.0)).sentence


def test_the_record_is_plain_and_whole() -> None:
    labels = people(300)
    result = replace(judged(labels, answers(labels), answers(labels, seed=2)), speed=Speed(9.0, 10.0), megabytes=(5, 6))
    record = json.loads(json.dumps(to_record(result), allow_nan=False))
    assert record.keys() >= {
        *("verdict", "reasons", "questions", "groups", "headlines", "speed", "size", "calibration", "alpha", "margin"),
        *("data", "pictures", "candidate", "baseline", "versions", "command"),
    }
    assert {one["name"] for one in record["questions"]} == {*ATTRIBUTES, "gender"} - {"Male"}
    one = record["groups"][0]
    assert one.keys() >= {"of", "pictures", "gain", "interval", "p", "p_corrected", "finding", "detectable", "unit"}
    assert record["speed"]["factor"] == 0.9


def test_the_report_says_the_verdict_first_and_shows_names_as_text() -> None:
    labels = people()
    result = judged(labels, answers(labels, 0.05), answers(labels))
    text = markdown(replace(result, candidate="a`|<b>", pictures={"<i>|x": N}, speed=Speed(9.0, 10.0)))
    assert text.startswith("# Verdict: better\n\nBetter at mean accuracy of the attributes")
    assert DEFINITION in text
    assert "<b>" not in text.replace("`a'|<b>`", "") and "<i>" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables if "made" in line}) == 2  # with and without a group


def test_little_data_is_said_to_show_little() -> None:
    labels = people(40)
    result = judged(labels, answers(labels), answers(labels, seed=2))
    assert result.verdict == "not worse"
    [gender] = [one for one in result.comparisons if (one.family, one.name) == ("headlines", "gender")]
    assert gender.detectable > 0.2
    assert "may have been missed" in result.sentence and "gender" in result.sentence


# the statistics


def test_corrected_is_holm_where_weights_are_alike() -> None:
    assert corrected([0.01, 0.04, 0.03, 0.005], [1] * 4) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # by hand: 0.01 / (3 / 4), then 0.02 / (1 / 4) of what is left, which is all
    assert corrected([0.02, 0.01], [1, 3]) == pytest.approx([0.02, 0.04 / 3])
    assert corrected([0.9, 0.8], [1, 1]) == pytest.approx([1, 1])


def test_tango_is_mcnemar_without_a_margin() -> None:
    assert tango_z(0.0, 30, 12, 500) == pytest.approx(18 / np.sqrt(42))
    gains = binary(30, 12, 500)
    assert gains.loss_over(0.0).p == pytest.approx(stats.norm.sf(17.5 / np.sqrt(42)), rel=0.1)
    low, high = gains.interval()
    assert tango_z(-low, 30, 12, 500) == pytest.approx(-1.96, abs=0.001)
    assert tango_z(-high, 30, 12, 500) == pytest.approx(1.96, abs=0.001)
    assert low < gains.mean < high
    assert binary(0, 0, 20).interval()[0] == pytest.approx(-0.161, abs=0.001)  # 20 pictures show little


@pytest.mark.parametrize("pictures", [20, 50, 200, 800])
@pytest.mark.parametrize("won", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("level", [0.05, 0.001, 0.0001])
def test_the_floor_keeps_its_level_at_the_margin(pictures: int, won: float, level: float) -> None:
    """Summed over all outcomes, with a true loss of exactly the margin."""
    margin = 0.01
    false, total = 0.0, 0.0
    for gained in range(pictures + 1):
        chance = stats.binom.pmf(gained, pictures, won)
        if chance < 1e-10:
            continue
        left = pictures - gained
        lost = np.arange(left + 1)
        chances = stats.binom.pmf(lost, left, (won + margin) / (1 - won)) * chance
        for k in np.flatnonzero(chances > 1e-11):
            total += chances[k]
            false += chances[k] * (tango(margin, int(k), gained, pictures) <= level)
    assert total == pytest.approx(1, abs=1e-5)
    assert false <= level


@pytest.mark.parametrize("shape", ["normal", "skew"])
def test_ages_keep_their_level(shape: str) -> None:
    """Differences of absolute errors, and a skewed one, at 20 and 200 pictures."""
    random = np.random.default_rng(0)
    for pictures in (20, 200):
        if shape == "normal":
            values = abs(random.normal(0, 6, (4000, pictures))) - abs(random.normal(0, 6, (4000, pictures)))
        else:
            values = 1 - random.exponential(1, (4000, pictures))
        p = [Gains(one, False).difference().p for one in values]
        assert np.mean(np.array(p) < 0.05) < (0.06 if shape == "normal" else 0.09)


def test_what_is_detectable_is_detected_in_four_of_five() -> None:
    random = np.random.default_rng(0)
    gains = Gains(random.normal(0, 1, 1000), False)
    least = detectable(gains.error, 0.005)
    p = [Gains(random.normal(least, 1, 1000), False).difference().p for _ in range(1000)]
    assert np.mean(np.array(p) < 0.01) == pytest.approx(0.8, abs=0.05)
    assert np.isnan(detectable(0.0, 0.01))
    assert detectable(0.01, 0.005, binary=20) == pytest.approx(8 / 20)


def test_wrong_findings_of_made_nulls_are_few() -> None:
    """Two nets that err equally often, 100 times."""
    labels = people(500)
    wrong = 0
    for draw in range(100):
        pair = answers(labels, seed=1000 + draw), answers(labels, seed=5000 + draw)
        result = judged(labels, *pair)
        wrong += bool(result.better or result.worse)
    assert stats.binomtest(wrong, 100, 0.05, "greater").pvalue > 0.01


def binary(lost: int, won: int, pictures: int) -> Gains:
    return Gains(np.r_[-np.ones(lost), np.ones(won), np.zeros(pictures - lost - won)], True)


# from the photo on


class Counting:
    """A detector that finds nothing, so that the frame is read, and counts the pictures."""

    name = "counting"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, image: NDArray[np.uint8]) -> Any:
        self.seen += 1
        return Detections.none()


def photos(count: int = 30) -> Source:
    random = np.random.default_rng(0)
    files = []
    for k in range(count):
        file = io.BytesIO()
        Image.fromarray(random.integers(256, size=(60, 60, 3), dtype=np.uint8)).save(file, "PNG")
        files.append(file.getvalue() if k else b"damaged")
    return Source("noise", people(count), lambda i: files[i])


def test_both_read_every_picture_and_detect_it_once() -> None:
    detector = Counting()
    default, small = (
        FaceAnalyzer(FaceAnalyzer.from_pretrained(name).checkpoint, detector)
        for name in ("default", "portrait-attributes")
    )
    alike = small.checkpoint.config.model_copy(update={"framing": default.checkpoint.config.framing})
    small = FaceAnalyzer(replace(small.checkpoint, config=alike), detector)
    result = gate(small, default, {"noise": photos()}, resamples=20, progress=False)
    alone = Counting()
    read_source(FaceAnalyzer(default.checkpoint, alone), photos(), progress=False)
    assert detector.seen == alone.seen  # as often as for one of them
    assert result.pictures == {"noise": 29}
    assert (result.candidate, result.baseline, result.detector) == ("portrait-attributes", "default", "counting")
    assert result.megabytes is not None and result.megabytes[0] < result.megabytes[1] < 25
    assert result.speed is not None and result.speed.factor < 1
    with pytest.raises(DataError, match="not 20 pictures"):
        gate(small, default, {"noise": photos(15)}, resamples=20, progress=False)


@pytest.mark.parametrize("verdict", ["better", "not worse", "worse"])
def test_the_command_ends_with_the_verdict(verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status tells the verdicts apart, and from errors."""
    wrong = {"better": 0.05, "not worse": 0.1, "worse": 0.2}[verdict]
    labels = people()
    result = judged(labels, answers(labels, wrong), answers(labels))
    asked: dict[str, Any] = {}

    def ready(candidate: Any, baseline: Any, sources: Any, **options: Any) -> GateResult:
        asked.update(options, sources=sources, names=(candidate, baseline))
        return replace(result, command=options["command"])

    monkeypatch.setattr("training.gate.gate", ready)
    monkeypatch.setattr(FaceAnalyzer, "from_pretrained", lambda name, **_: name)
    monkeypatch.setattr("training.data.open_source", lambda path, split: split)
    monkeypatch.setattr("training.data.splits_of", lambda path: ["train", "test"])
    files = ["--json", str(tmp_path / "out" / "a.json"), "--markdown", str(tmp_path / "out" / "a.md")]
    given = ["--candidate", "me/mine@refs/pr/3", "--baseline", "default", "--data", "x/celeba", "--margin", "0.02"]
    done = CliRunner().invoke(app, ["gate", *given, *files])
    assert done.exit_code == EXIT_STATUS[verdict], done.output  # type: ignore[index]
    assert asked["names"] == ("me/mine@refs/pr/3", "default") and asked["sources"] == {"CelebA": "test"}
    assert asked["limits"] == Limits(margin=0.02)
    assert asked["command"].endswith("--data x/celeba --margin=0.02")
    assert json.loads((tmp_path / "out" / "a.json").read_text())["verdict"] == verdict
    assert (tmp_path / "out" / "a.md").read_text().startswith(f"# Verdict: {verdict}\n")


def test_an_error_is_no_verdict(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["gate", "--candidate", "a", "--baseline", "b", "--data", str(tmp_path / "none")])
    assert done.exit_code == 2 not in EXIT_STATUS.values()
    assert "does not exist" in done.output


def test_every_limit_has_an_option() -> None:
    assert cli_gate._OPTIONS.keys() == Limits.__dataclass_fields__.keys()
