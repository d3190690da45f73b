"""What the gate compares: questions, headline figures, groups and calibration, on the same pictures for both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from facekit.answers import Answers
from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE
from training.data import LabelArrays
from training.gate.statistics import Gains, Outcome, corrected, detectable
from training.metrics import SMALL_GROUP, Bootstrap, Estimate, Samples, calibration_error, groups_of, mean_known
from training.questions import answered_labels, has_labels, questions_of, right_or_wrong

Family = Literal["headlines", "questions", "groups", "calibration"]

HEADLINES: Final = ("attributes", "gender", "age", "expression")
"""Mean accuracy of the attributes; accuracy; mean absolute error in years; accuracy."""


@dataclass(frozen=True)
class Limits:
    """What the gate allows.

    Attributes:
        alpha: the probability of any wrong finding, better or worse, in (0, 1).
        negligible: a difference in the mean accuracy of the attributes that does not count, in [0, 1). Forty answers a
            picture tell apart what is no better: two runs of one recipe differ by 0.09 points (the standard deviation
            on CelebA's validation split).
        margin: how much of an accuracy a group may lose, in [0, 1).
        years: how much the mean absolute error of a group's ages may rise.
        calibration: how much an expected calibration error may rise, in [0, 1).
        megabytes: what the candidate's weights file may have, in millions of bytes.
        slowdown: how many times the baseline's time per face the candidate may take.
    """

    alpha: float = 0.05
    negligible: float = 0.001
    margin: float = 0.01
    years: float = 0.5
    calibration: float = 0.01
    megabytes: float = 25.0
    slowdown: float = 1.5


@dataclass(frozen=True)
class Comparison:
    """One figure of both, and whether they differ beyond chance.

    Attributes:
        family: what it is corrected with.
        data: the test set.
        name: an attribute, or one of `HEADLINES`.
        of: the group, factor to value; empty where it is everyone.
        pictures: that are labelled and answered.
        baseline, candidate: an accuracy or calibration error in [0, 1], or a mean absolute error in years.
        gain, low, high: how much the candidate is better, negative if it is worse, with its 95 % interval.
        margin: the difference that does not count; of groups and calibration, the loss that is allowed.
        method: the test, empty where there are too few pictures for one.
        p: of that test alone.
        corrected: of all tests of the gate (weighted Holm), NaN where there is none.
        detectable: the smallest true difference (loss, if one-sided) that is found in 4 of 5 such test sets.
        finding: "better" or "worse" beyond chance, else empty.
        error: standard error of the gain.
    """

    family: Family
    data: str
    name: str
    of: Mapping[str, str]
    pictures: int
    baseline: float
    candidate: float
    gain: float
    low: float
    high: float
    margin: float = 0.0
    method: str = ""
    p: float = float("nan")
    corrected: float = float("nan")
    detectable: float = float("nan")
    finding: Literal["better", "worse", ""] = ""
    error: float = float("nan")

    @property
    def years(self) -> bool:
        """Whether it counts in years, where less is better."""
        return self.name == "age"

    @property
    def one_sided(self) -> bool:
        """Whether it is tested for losses alone."""
        return self.family in ("groups", "calibration")

    @property
    def binary(self) -> bool:
        """Whether each picture is right or wrong."""
        return self.name not in ("attributes", "age") and self.family != "calibration"


class Pair(NamedTuple):
    """What two checkpoints answered to the same N pictures."""

    labels: LabelArrays
    candidate: Answers
    baseline: Answers


def compare(
    pairs: Mapping[str, Pair], limits: Limits, *, seed: int = 0, resamples: int = 1000
) -> tuple[list[Comparison], list[str]]:
    """Every comparison, corrected, and what only the baseline answers, as "age (UTKFace)".

    Args:
        pairs: by test set.
        seed, resamples: of the bootstrap.
    """
    found: list[Comparison] = []
    lost: list[str] = []
    for data, pair in pairs.items():
        generator = np.random.default_rng(seed)
        scores, before = (_scores(pair.labels, answers) for answers in (pair.candidate, pair.baseline))
        lost += [f"{name} ({data})" for name in before if _loses(scores.get(name), before[name])]
        both = {name: (scores[name], before[name]) for name in before if name in scores}
        if not both:
            continue
        bootstrap = Bootstrap(len(pair.labels["file"]), generator, resamples)
        found += _everyone(data, both, bootstrap, limits)
        found += _groups(data, pair.labels, _headlines(both), limits)
        found += _calibration(data, pair, bootstrap, limits)
    return _corrected(found, limits.alpha), lost


Scores = NDArray[np.float64]
"""(N,) of every picture, more is better: 1 right and 0 wrong, or minus the years that an age is off; NaN unknown."""

Both = dict[str, tuple[Scores, Scores]]
"""By question, or by headline: of the candidate and of the baseline."""


def _scores(labels: LabelArrays, answers: Answers) -> dict[str, Scores]:
    """By question; `Male` is left out where it is asked as gender."""
    found = {}
    for question in questions_of(labels, answers):
        off = abs(question.answer - question.truth) if question.name == "age" else None
        found[question.name] = question.right if off is None else -off.astype(np.float64)
    if "gender" in found:
        found.pop(GENDER_ATTRIBUTE, None)
    return found


def _loses(scores: Scores | None, before: Scores) -> bool:
    """Whether there is a picture for which only the baseline has an answer."""
    return scores is None or bool((np.isnan(scores) & ~np.isnan(before)).any())


def _headlines(both: Both) -> Both:
    """Those of `HEADLINES` that are asked; gender counts among the attributes where it is one of them."""
    asked = [name for name in both if name in ATTRIBUTES]
    found: Both = {name: both[name] for name in HEADLINES if name in both}
    if not asked:
        return found
    if "gender" in both:
        asked.append("gender")
    columns = [np.stack([both[name][side] for name in asked], 1) for side in (0, 1)]
    return {"attributes": (_averaged(columns[0]), _averaged(columns[1])), **found}


def _averaged(right: NDArray[np.float64]) -> Scores:
    """(N, K) to (N,) scores whose mean is the mean over K questions of each one's accuracy."""
    known = ~np.isnan(right)
    counts, rows = known.sum(0), known.any(1)
    shares = np.where(known, right, 0) / np.maximum(counts, 1) * rows.sum() / max(1, (counts > 0).sum())
    return np.where(rows, shares.sum(1), np.nan)


def _everyone(data: str, both: Both, bootstrap: Bootstrap, limits: Limits) -> list[Comparison]:
    headlines = _headlines(both)
    listed: list[tuple[Family, str, tuple[Scores, Scores]]]
    listed = [("headlines", name, pair) for name, pair in headlines.items()]
    listed += [("questions", name, pair) for name, pair in both.items() if name not in headlines]
    drawn = bootstrap.mean(np.stack([candidate - baseline for _, _, (candidate, baseline) in listed], 1))  # (1 + R, K)
    found = []
    for k, (family, name, pair) in enumerate(listed):
        one, gains = _one(family, data, name, pair)
        estimate = Estimate.of(drawn[:, k])
        margin = limits.negligible if name == "attributes" else 0.0
        one = replace(one, low=estimate.low, high=estimate.high, margin=margin)
        found.append(_tested(one, gains.difference(margin)) if gains else one)
    return found


def _groups(data: str, labels: LabelArrays, headlines: Both, limits: Limits) -> list[Comparison]:
    found = []
    for group in groups_of(labels):
        for name, (candidate, baseline) in headlines.items():
            one, gains = _one("groups", data, name, (candidate[group.rows], baseline[group.rows]))
            margin = limits.years if one.years else limits.margin
            one = replace(one, of=group.of, margin=margin)
            if gains:
                low, high = gains.interval()
                one = _tested(replace(one, low=low, high=high), gains.loss_over(margin))
            found += [one] if one.pictures else []
    return found


def _calibration(data: str, pair: Pair, bootstrap: Bootstrap, limits: Limits) -> list[Comparison]:
    """Expected calibration errors; the test is of the bootstrap's standard error, as p far below 1 / R is asked for."""
    labels = answered_labels(answered_labels(pair.labels, pair.candidate), pair.baseline)
    errors, before = (_errors(labels, answers, bootstrap) for answers in (pair.candidate, pair.baseline))
    found = []
    for name in errors.keys() & before.keys():
        (samples, pictures), (others, _) = errors[name], before[name]
        gain = Estimate.of(others - samples)
        spread = float(np.nanstd((others - samples)[1:], ddof=1))
        ends = (gain.value, gain.low, gain.high)
        margin = limits.calibration
        one = Comparison("calibration", data, name, {}, pictures, others[0], samples[0], *ends, margin)
        if pictures >= SMALL_GROUP:
            away = -gain.value - margin
            p = float(stats.norm.sf(away / spread)) if spread > 0 else float(away <= 0)
            one = _tested(replace(one, error=spread), Outcome("bootstrap", p))
        found.append(one)
    return sorted(found, key=lambda one: one.name)


def _errors(labels: LabelArrays, answers: Answers, bootstrap: Bootstrap) -> dict[str, tuple[Samples, int]]:
    """Samples (1 + R,) of the calibration errors, and the pictures labelled for them."""
    found = {}
    if answers.attributes is not None and has_labels(labels, "attributes"):
        truth, p = labels["attributes"], answers.attributes
        columns = np.flatnonzero(~np.isnan(truth).all(0))
        each = np.stack([calibration_error(p[:, k], truth[:, k], bootstrap) for k in columns], 1)
        found["attributes"] = mean_known(each), int((~np.isnan(truth)).any(1).sum())
    if answers.expression is not None and has_labels(labels, "expression_label"):
        right = right_or_wrong(labels["expression_label"], answers.expression.argmax(1))
        samples = calibration_error(answers.expression.max(1), right, bootstrap)
        found["expression"] = samples, int((~np.isnan(right)).sum())
    return found


def _one(family: Family, data: str, name: str, pair: tuple[Scores, Scores]) -> tuple[Comparison, Gains | None]:
    """Both figures on the pictures that both have a score for, and their gains if these suffice for a test."""
    known = ~np.isnan(pair[0]) & ~np.isnan(pair[1])
    unknown = float("nan")
    if not known.any():
        return Comparison(family, data, name, {}, 0, unknown, unknown, unknown, unknown, unknown), None
    candidate, baseline = (scores[known] for scores in pair)
    sign, values = -1 if name == "age" else 1, candidate - baseline
    figures = (sign * float(baseline.mean()), sign * float(candidate.mean()), float(values.mean()))
    one = Comparison(family, data, name, {}, len(values), *figures, unknown, unknown)
    if len(values) < SMALL_GROUP:
        return one, None
    gains = Gains(values, one.binary)
    return replace(one, error=gains.error), gains


def _tested(one: Comparison, outcome: Outcome) -> Comparison:
    return replace(one, method=outcome.method, p=outcome.p)


def _corrected(found: Sequence[Comparison], alpha: float) -> list[Comparison]:
    """With corrected p and findings: every family starts with the same share of alpha, divided evenly among its tests.

    A wrong finding anywhere has a probability of at most alpha, so "better" and "worse" together have.
    """
    tested = [one for one in found if one.method]
    sizes = Counter(one.family for one in tested)
    weights = [1 / len(sizes) / sizes[one.family] for one in tested]
    after = iter(zip(corrected([one.p for one in tested], weights), weights, strict=True))
    return [_found(one, *next(after), alpha) if one.method else one for one in found]


def _found(one: Comparison, p: float, weight: float, alpha: float) -> Comparison:
    finding: Literal["better", "worse", ""] = ""
    if p <= alpha:
        finding = "better" if one.gain > 0 and not one.one_sided else "worse"
    tail = alpha * weight / (1 if one.one_sided else 2)
    least = detectable(one.error, tail, one.margin, one.pictures if one.binary else None)
    return replace(one, corrected=float(p), finding=finding, detectable=least)
