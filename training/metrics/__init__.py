"""How good a checkpoint is, how sure that is, and for whom it is worse.

Every figure is a function of sums over pictures, so that its bootstrap is one matrix product (`bootstrap.py`).
"""

from training.metrics.age import age_figures, cumulative_score
from training.metrics.bootstrap import Bootstrap, Estimate, Samples, mean_known, ratio
from training.metrics.calibration import calibration_error
from training.metrics.classification import FIGURES, binary_confusion, confusion
from training.metrics.groups import SMALL_GROUP, Group, groups_of
from training.metrics.ranking import class_ranking_figures, macro, ranking_figures
from training.metrics.verification import cross_validated, pair_scores, verification

__all__ = [
    "FIGURES",
    "SMALL_GROUP",
    "Bootstrap",
    "Estimate",
    "Group",
    "Samples",
    "age_figures",
    "binary_confusion",
    "calibration_error",
    "class_ranking_figures",
    "confusion",
    "cross_validated",
    "cumulative_score",
    "groups_of",
    "macro",
    "mean_known",
    "pair_scores",
    "ranking_figures",
    "ratio",
    "verification",
]
