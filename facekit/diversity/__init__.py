"""How many different faces is this? Measures, and what they mean in words.

report = diversity_report(FaceSample.read(analyzer, made), FaceSample.read(analyzer, real))
print(report.verdict, *report.reasons)
"""

from facekit.diversity.figures import FaceSample, Figures, compare
from facekit.diversity.known import Known, read_known
from facekit.diversity.measures import (
    NEIGHBOURS,
    Duplicates,
    Manifold,
    Scale,
    duplicates,
    formed,
    frechet,
    kid,
    manifold,
    nearest_distances,
    vendi,
)
from facekit.diversity.report import FEWEST, DiversityReport, diversity_beside_known, diversity_report
from facekit.diversity.verdict import Judgement, Verdict, judge

__all__ = [
    "FEWEST",
    "NEIGHBOURS",
    "DiversityReport",
    "Duplicates",
    "FaceSample",
    "Figures",
    "Judgement",
    "Known",
    "Manifold",
    "Scale",
    "Verdict",
    "compare",
    "diversity_beside_known",
    "diversity_report",
    "duplicates",
    "formed",
    "frechet",
    "judge",
    "kid",
    "manifold",
    "nearest_distances",
    "read_known",
    "vendi",
]
