"""The gate's report in Markdown: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from training.gate.comparisons import Comparison
from training.gate.verdict import DEFINITION, GateResult, amount, figure, group
from training.metrics import SMALL_GROUP
from training.results import percent, table, years

_HEAD: Final = ("pictures", "baseline", "candidate", "gain (95 % interval)", "corrected p", "found from", "finding")

_HOW: Final = """## How to read this

{definition}

A gain is positive where the candidate is better, negative where it is worse; points are of a hundred. All tests share
one weighted Holm correction, so the probability of any wrong finding is at most {alpha:g}. "Found from" is the smallest
true difference (for groups and calibration: loss) that would be found in 4 of 5 test sets like these; smaller ones
may be there. What does not count: up to {negligible} in the mean accuracy of the attributes of everyone; of groups,
a loss up to {share} or {years}; a rise of a calibration error up to {calibration}. Groups of fewer than {small}
pictures are not tested.
"""


def markdown(result: GateResult) -> str:
    """The whole report; names from outside are shown as they are, without Markdown or HTML of their own."""
    lines = [f"# Verdict: {result.verdict}\n", f"{plain_text(result.sentence)}\n"]
    lines += ["".join(f"- {plain_text(reason)}\n" for reason in result.reasons)] if result.reasons else []
    lines.append(f"Candidate {_code(result.candidate)}, baseline {_code(result.baseline)}.\n")
    of = {family: [one for one in result.comparisons if one.family == family] for family in _TITLES}
    for family, name in _TITLES.items():
        tested = [one for one in of[family] if one.method]
        if not of[family]:
            continue
        section = _table(family, sorted(tested, key=lambda one: one.corrected) if family != "headlines" else tested)
        few = len(of[family]) - len(tested)
        note = f"\n{few} more with fewer than {SMALL_GROUP} pictures: not tested.\n" if few else ""
        lines.append(f"## {name}\n\n{section}{note}")
    lines += [_limits(result)] if result.speed or result.megabytes else []
    limits = result.limits
    allowed = {"share": f"{100 * limits.margin:g} points", "years": f"{limits.years:g} years"}
    allowed |= {"negligible": f"{100 * limits.negligible:g} points"}
    allowed |= {"calibration": f"{100 * limits.calibration:g} points"}
    lines.append(_HOW.format(definition=DEFINITION, alpha=limits.alpha, small=SMALL_GROUP, **allowed))
    pictures = ", ".join(f"{count:,} of {plain_text(data)}" for data, count in result.pictures.items())
    lines.append(f"Pictures: {pictures}; detector {result.detector}.\n")
    if result.command:
        lines.append(f"    {result.command}\n")
    return "\n".join(lines)


def plain_text(text: str) -> str:
    """Without what Markdown or HTML would read as more than text; CelebA's underscores stay."""
    for sign, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("[", "\\["), ("`", "'")):
        text = text.replace(sign, instead)
    return " ".join(text.split())


_TITLES: Final = {
    "headlines": "Headlines",
    "groups": "Groups: does any lose more than the margin?",
    "questions": "Attributes",
    "calibration": "Calibration: expected calibration error",
}


def _table(family: str, listed: Sequence[Comparison]) -> str:
    if not listed:
        return ""
    words = ["data", *(["group"] if family == "groups" else []), "figure"]
    rows = [
        [
            plain_text(one.data),
            *([plain_text(group(one))] if one.of else []),
            figure(one),
            *_cells(one),
        ]
        for one in listed
    ]
    return table([*words, *_HEAD], rows, words=len(words))


def _cells(one: Comparison) -> list[str]:
    form, unit = (years, 1) if one.years else (percent, 100)
    gain = f"{unit * one.gain:+.2f} ({unit * one.low:+.2f} to {unit * one.high:+.2f})"
    found = amount(one, one.detectable) if one.detectable == one.detectable else "–"
    p = f"{one.corrected:.2g}"
    finding = f"**{one.finding}**" if one.finding else ""
    return [f"{one.pictures:,}", form(one.baseline), form(one.candidate), gain, p, found, finding]


def _limits(result: GateResult) -> str:
    limits, rows = result.limits, []
    if result.megabytes is not None:
        candidate, baseline = result.megabytes
        kept = "yes" if candidate <= limits.megabytes else "**no**"
        rows.append(["weights", f"{baseline:.1f} MB", f"{candidate:.1f} MB", f"{limits.megabytes:g} MB", kept])
    if result.speed is not None:
        most, speed = limits.slowdown, result.speed
        kept = "yes" if speed.factor <= most else "**no**"
        spent = f"{speed.candidate:.1f} ms ({speed.factor:.2f} times)"
        rows.append(["time per face", f"{speed.baseline:.1f} ms", spent, f"{most:g} times the baseline's", kept])
    return f"## Size and speed\n\n{table(('', 'baseline', 'candidate', 'at most', 'kept'), rows)}"


def _code(name: str) -> str:
    return "`" + " ".join(name.replace("`", "'").split()) + "`"
