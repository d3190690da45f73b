"""The gate's verdict, from what was compared to a sentence for people and a record for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from training.gate.comparisons import Comparison, Limits
from training.records import Record, plain

Verdict = Literal["better", "not worse", "worse"]

EXIT_STATUS: Final[dict[Verdict, int]] = {"better": 0, "not worse": 10, "worse": 11}
"""What the command ends with; 2 is an error."""

DEFINITION: Final = (
    "Worse: a headline or an attribute is worse beyond chance (the mean accuracy of the attributes by more than is "
    "negligible), a group loses more than the margin beyond chance, "
    "calibration is worse by more than its margin beyond chance, something is no longer answered, or a limit on size "
    "or time is broken. Better: not worse, and a headline is better beyond chance. Not worse: no difference was found."
)

NAMES: Final = {"attributes": "mean accuracy of the attributes", "gender": "perceived gender"}
"""What people call a figure; the others go by their own name."""

_PLURAL: Final = {"man": "men", "woman": "women"}
_SHOWN: Final = 4  # findings that the sentence names; the reasons name all


@dataclass(frozen=True)
class Speed:
    """Milliseconds a face (median), the network alone, both measured in turns."""

    candidate: float
    baseline: float

    @property
    def factor(self) -> float:
        """How many times the baseline's time the candidate takes."""
        return self.candidate / self.baseline


@dataclass(frozen=True)
class GateResult:
    """What the gate found.

    Attributes:
        candidate, baseline: their names.
        pictures: read, by test set.
        comparisons: everything that was compared.
        lost: what only the baseline answers.
        speed: None where it was not measured.
        megabytes: the weights files' sizes in millions of bytes, of the candidate and the baseline; None likewise.
        limits: what was allowed.
        detector: what found the faces.
        seed, resamples: of the bootstrap.
        versions: of what was measured with.
        digests: `checkpoints.digest_of` the candidate and the baseline; None where they were not read.
        command: that measures the same again; empty where there was none.
    """

    candidate: str
    baseline: str
    pictures: dict[str, int]
    comparisons: tuple[Comparison, ...]
    lost: tuple[str, ...] = ()
    speed: Speed | None = None
    megabytes: tuple[float, float] | None = None
    limits: Limits = field(default_factory=Limits)
    detector: str = ""
    seed: int = 0
    resamples: int = 1000
    versions: dict[str, str] | None = None
    command: str = ""
    digests: tuple[str, str] | None = None

    @property
    def verdict(self) -> Verdict:
        """See `DEFINITION`."""
        if self.worse or self.broken:
            return "worse"
        return "better" if any(one.family == "headlines" for one in self.better) else "not worse"

    @property
    def better(self) -> list[Comparison]:
        """Comparisons in which the candidate is better beyond chance."""
        return [one for one in self.comparisons if one.finding == "better"]

    @property
    def worse(self) -> list[Comparison]:
        """Comparisons in which the candidate is worse beyond chance, or by more than the margin beyond chance."""
        return [one for one in self.comparisons if one.finding == "worse"]

    @property
    def broken(self) -> list[str]:
        """The limits that the candidate breaks, in words, and what it does not answer."""
        found = [f"does not answer {', '.join(self.lost)}"] if self.lost else []
        if self.megabytes is not None and self.megabytes[0] > self.limits.megabytes:
            found.append(f"weights of {self.megabytes[0]:.1f} MB, more than {self.limits.megabytes:g}")
        if self.speed is not None and self.speed.factor > self.limits.slowdown:
            found.append(f"{self.speed.factor:.2f} times the baseline's time per face, over {self.limits.slowdown:g}")
        return found

    @property
    def reasons(self) -> list[str]:
        """A line for everything that was found, the worse first."""
        lines = [f"worse: {line}" for line in self.broken]
        return lines + [f"{one.finding}: {reason(one)}" for one in [*self.worse, *self.better]]

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        parts = [f"better at {_listed(self.better)}"] if self.better else []
        everyone = [one for one in self.worse if one.family != "groups"]
        groups = [one for one in self.worse if one.family == "groups"]
        parts += [f"worse at {_listed(everyone)}"] if everyone else []
        parts += [f"worse for {_listed(groups)}"] if groups else []
        parts += self.broken
        if not parts:
            return f"No difference was found on {' and '.join(self.pictures)}. {self._unseen()}".strip()
        text = "; ".join([*parts, "no difference found elsewhere"]) + "."
        return f"{text[0].upper()}{text[1:]} {self._unseen()}".strip()

    def _unseen(self) -> str:
        """What the test sets were too small for."""
        silent = [one for one in self.comparisons if one.family == "headlines" and not one.finding]
        seen = [f"{amount(one, one.detectable)} in {title(one)}" for one in silent if one.detectable == one.detectable]
        few = [title(one) for one in silent if not one.method]
        text = f"Differences below {', '.join(seen)} may have been missed." if seen else ""
        return f"{text} Too few pictures to test {', '.join(few)}.".strip() if few else text


def figure(one: Comparison) -> str:
    """What was compared, as "age" or "calibration of expression"."""
    return f"calibration of {one.name}" if one.family == "calibration" else NAMES.get(one.name, one.name)


def group(one: Comparison) -> str:
    """As "women, white, 60+"."""
    return ", ".join(_PLURAL.get(value, value) for value in one.of.values())


def title(one: Comparison) -> str:
    """As "age for women, white, 60+ (UTKFace)"."""
    return f"{figure(one)}{f' for {group(one)}' if one.of else ''} ({one.data})"


def amount(one: Comparison, value: float) -> str:
    """A difference in the unit of what was compared: "0.31 points" of a hundred, or "0.12 years"."""
    return f"{value:.2f} years" if one.years else f"{100 * value:.2f} points"


def reason(one: Comparison) -> str:
    """As "age (UTKFace) loses 0.42 years (0.21 to 0.66), corrected p = 0.003"."""
    low, high = sorted((abs(one.low), abs(one.high))) if one.low * one.high > 0 else (one.low, one.high)
    unit = 1 if one.years else 100
    text = f"{title(one)} {'gains' if one.gain > 0 else 'loses'} {amount(one, abs(one.gain))}"
    text += f" ({unit * low:.2f} to {unit * high:.2f})"
    if one.margin:
        text += f", more than the margin of {amount(one, one.margin)}"
    return f"{text}, corrected p = {one.corrected:.2g}"


def to_record(result: GateResult) -> Record:
    """What JSON can hold, under fixed keys.

    "verdict", "sentence", "reasons"; "headlines", "questions" (those headlines among them that are one question),
    "groups" and "calibration", a list of `Comparison`s each; "speed" and "size" with their limits, or null; "missing";
    "alpha", "margin" by unit; "data", "pictures" by test set, "candidate", "baseline", "digest" of both or
    null, "detector", "seed", "resamples", "versions", "command".
    """
    limits, speed, size = result.limits, result.speed, result.megabytes
    parts: dict[str, list[Record]] = {"headlines": [], "questions": [], "groups": [], "calibration": []}
    for one in result.comparisons:
        parts[one.family].append(_plain(one))
    parts["questions"] += [one for one in parts["headlines"] if one["name"] != "attributes"]
    timing: Record | None = None
    if speed is not None:
        timing = {"candidate_ms": plain(speed.candidate), "baseline_ms": plain(speed.baseline)}
        timing |= {"factor": plain(speed.factor), "limit": limits.slowdown}
    return {
        "verdict": result.verdict,
        "sentence": result.sentence,
        "reasons": result.reasons,
        **parts,
        "speed": timing,
        "size": size and {"candidate_mb": size[0], "baseline_mb": size[1], "limit": limits.megabytes},
        "missing": list(result.lost),
        "alpha": limits.alpha,
        "margin": {
            "share": limits.margin,
            "years": limits.years,
            "calibration": limits.calibration,
            "negligible": limits.negligible,
        },
        "data": list(result.pictures),
        "pictures": dict(result.pictures),
        "candidate": result.candidate,
        "baseline": result.baseline,
        "digest": result.digests and dict(zip(("candidate", "baseline"), result.digests, strict=True)),
        "detector": result.detector,
        "seed": result.seed,
        "resamples": result.resamples,
        "versions": result.versions,
        "command": result.command,
    }


def _plain(one: Comparison) -> Record:
    unit: dict[str, Any] = {"unit": "years" if one.years else "share", "interval": [plain(one.low), plain(one.high)]}
    figures = {key: plain(getattr(one, key)) for key in ("baseline", "candidate", "gain", "detectable")}
    tests = {"p": _p(one.p), "p_corrected": _p(one.corrected), "margin": one.margin, "finding": one.finding}
    named = {"data": one.data, "name": one.name, "of": dict(one.of), "pictures": one.pictures}
    return {**named, **unit, **figures, "method": one.method, **tests}


def _p(value: float) -> float | None:
    return None if value != value else float(f"{value:.3g}")


def _listed(found: Sequence[Comparison]) -> str:
    """The first few of what was found, test set by test set: "gender and age on UTKFace"."""
    parts = []
    for data in dict.fromkeys(one.data for one in found):
        here = [one for one in found if one.data == data]
        names = [f"{group(one)} ({figure(one)})" if one.of else figure(one) for one in here]
        names = [*names[:_SHOWN], f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN + 1 else names
        first = ", ".join(names[:-1])
        parts.append(f"{first} and {names[-1]} on {data}" if first else f"{names[-1]} on {data}")
    return ", ".join(parts)
