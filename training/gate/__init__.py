"""Is a candidate better than the baseline, for everyone? The gate that a pull request has to pass.

Both checkpoints answer the same test pictures. Everything is tested on pairs of answers to one picture:

- *headlines*: mean accuracy of the attributes (paired t; up to 0.1 points are negligible, see `Limits`), accuracy of
  perceived gender and of expression (McNemar), mean absolute error of age (paired t), two-sided, with paired-bootstrap
  intervals;
- *questions*: the accuracy of each attribute (McNemar), two-sided; gender, age and expression are headlines already;
- *groups*: the headlines of every group of `metrics.groups` with 20 pictures or more, one-sided: is more lost than the
  margin? (Tango's score test, paired t);
- *calibration*: the expected calibration error of the attributes on average and of expression, one-sided: does it rise
  by more than its margin? (paired bootstrap).

All tests of all test sets share one weighted Holm correction: each family starts with the same share of alpha. So the
probability of any wrong finding, better or worse, is at most alpha (0.05), also when several sets are measured.

The verdict is

- **worse** if a headline or a question is worse beyond chance; if a group loses more than the margin
  beyond chance; if calibration is worse by more than its margin beyond chance; if the candidate does not answer what
  the baseline answers; or if it breaks the limit on its size or its time per face;
- **better** if it is not worse, and a headline is better beyond chance;
- **not worse** otherwise: no difference was *found*. The column "found from" says what could have been.

What it cannot see: differences below that column, which in small groups are large (of 30 people more than ten have to
get a wrong answer where they had a right one, of 200 about 15); groups under 20 pictures, which are listed and not
tested; one attribute in one group; groups that the labels do not tell apart. Pictures are taken as independent,
although some show the same person: on CelebA's test split, where 803 people have 1,977 pictures, the variance is about
5 % larger than that. A test set that candidates were trained or chosen on proves nothing.
"""

from training.gate.comparisons import Comparison, Limits, Pair, compare
from training.gate.markdown import markdown
from training.gate.run import gate
from training.gate.verdict import EXIT_STATUS, GateResult, Speed, to_record

__all__ = [
    "EXIT_STATUS",
    "Comparison",
    "GateResult",
    "Limits",
    "Pair",
    "Speed",
    "compare",
    "gate",
    "markdown",
    "to_record",
]
