"""What the figures mean in words: healthy, thinning, collapsed or unformed, and on what evidence.

The thresholds were set on one set of cases and tested on others; `python -m training verdicts` measures both again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from facekit.attribute_coverage import HAIR, OTHER_HAIR, AttributeCoverage, Group
from facekit.diversity.figures import Figures

Verdict = Literal["healthy", "thinning", "collapsed", "unformed"]

COLLAPSED: Final = 0.3
"""Effective number of faces, over that of as many real ones, below which next to nothing but copies is left."""

THIN: Final = 0.8
"""The same ratio below which faces repeat themselves."""

MISSED: Final = 0.75
"""Coverage, over that of real faces, below which parts of the data are missing."""

SHIFTED: Final = 0.2
"""Total variation of the groups, above that of real faces, from which some are too many and others too few."""

LOST: Final = 0.1
"""Share of the data in groups that have vanished, from which that counts."""

UNFORMED: Final = 0.33
"""Share of pictures with as much of a face as real ones below which copies are of something that is no face yet."""

_WORST_FIRST: Final[tuple[Verdict, ...]] = ("unformed", "collapsed", "thinning")


@dataclass(frozen=True)
class Judgement:
    """A verdict and why.

    Attributes:
        verdict: "healthy"; "thinning" where faces repeat themselves or some kinds are missing; "collapsed" where next
            to nothing but copies is left; "unformed" where these are hardly faces, as in a generator's first epochs:
            it has not lost its diversity but has none yet.
        reasons: sentences with the numbers that decided it.
    """

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(count: int, made: Figures, natural: Figures, groups: AttributeCoverage) -> Judgement:
    """The verdict on `count` made faces.

    Args:
        made: their figures.
        natural: those of as many real faces beside the same reference.
        groups: who they are, beside the data.
    """
    findings = list(_findings(count, made, natural, groups))
    said = {word for word, _ in findings}
    for verdict in _WORST_FIRST:
        if verdict in said:
            return Judgement(verdict, tuple(sentence for _, sentence in findings))
    return Judgement("healthy", tuple(_healthy(count, made, natural)))


def _findings(count: int, made: Figures, natural: Figures, groups: AttributeCoverage) -> Iterator[tuple[Verdict, str]]:
    """What speaks against the made faces, and the verdict that it alone would be reason for."""
    ratio = made.vendi / natural.vendi
    if ratio < COLLAPSED and made.formed < UNFORMED:
        yield (
            "unformed",
            f"Only {percent(made.formed)} show as much of a face as real ones do ({percent(natural.formed)} of those).",
        )
    if made.attribute_tv - natural.attribute_tv >= SHIFTED:
        yield "thinning", _who(groups, made)
    if ratio < THIN:
        yield "collapsed" if ratio < COLLAPSED else "thinning", _how_many(count, made, natural)
    lost = sum(groups.data[group] for group in groups.vanished)
    if lost >= LOST:
        yield "thinning", f"{_capital(_named(groups.vanished))}, {percent(lost)} of the data, have all but vanished."
    if made.coverage is not None and natural.coverage and made.coverage / natural.coverage < MISSED:
        yield (
            "thinning",
            f"Only {percent(made.coverage)} of the real faces have a made one like them; "
            f"{percent(natural.coverage)} have another real one.",
        )


def _healthy(count: int, made: Figures, natural: Figures) -> Iterator[str]:
    yield _how_many(count, made, natural)
    if made.coverage is not None and natural.coverage is not None:
        yield (
            f"{percent(made.coverage)} of the real faces have a made one like them; "
            f"{percent(natural.coverage)} have another real one."
        )
    yield f"{percent(1 - made.attribute_tv)} of the mix of gender and hair colour is the data's."


def _how_many(count: int, made: Figures, natural: Figures) -> str:
    held = number(made.vendi)
    return (
        f"{count:,} samples hold about {held} different {'face' if held == '1' else 'faces'}; "
        f"as many real ones hold about {number(natural.vendi)}."
    )


def _who(groups: AttributeCoverage, made: Figures) -> str:
    names, share, data = groups.narrowest()
    if share - data >= SHIFTED:
        return f"{percent(share)} {_named(names)}; the data has {percent(data)}."
    most = max(groups.data, key=lambda group: groups.made[group] - groups.data[group])
    return (
        f"{percent(made.attribute_tv)} would have to change gender or hair colour to be as mixed as the data: "
        f"{percent(groups.made[most])} {_named([most])}, for example, where the data has {percent(groups.data[most])}."
    )


def _named(groups: Sequence[Group]) -> str:
    """Groups in words: "women with blond or brown hair and men with black hair"."""
    parts = []
    for gender, plural in (("woman", "women"), ("man", "men")):
        colours = [colour for colour in (*HAIR.values(), OTHER_HAIR) if (gender, colour) in groups]
        if len(colours) == len(HAIR) + 1:
            parts.append(plural)
        elif colours:
            listed = " or ".join(part for part in (", ".join(colours[:-1]), colours[-1]) if part)
            parts.append(f"{plural} with {listed} hair")
    return " and ".join(parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def percent(share: float) -> str:
    """A share in [0, 1] as a whole number of per cent, "0.4 %" or "under 0.1 %" where that would be none."""
    if 0 < share < 0.0005:
        return "under 0.1 %"
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.01 else f"{100 * share:.1f} %"


def number(value: float) -> str:
    """An effective number: whole from 10 on, else with one decimal that says something."""
    return f"{value:,.0f}" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f}"
