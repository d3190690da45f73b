"""How often the gate is wrong on pairs that do not differ, and how often it finds what does.

All answers are a network's own, on the test splits of CelebA, UTKFace and FER2013 (7,057 photos). What is equal is
made equal exactly, by swapping two networks' answers at random, picture by picture; what is worse is made worse on the
way through the network: by noise on its weights, or on the embeddings of some people's pictures. "Seeds" are heads
with one hidden layer on the shipped network's embeddings, trained by one recipe on 3,000 pictures of each train split.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from hashlib import sha256
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from facekit.analyze import FaceAnalyzer
from facekit.answers import Answers, decode
from facekit.detect import EDITIONS
from facekit.labels import ATTRIBUTES
from facekit.tasks import ALL_TASKS
from training.data import LabelArrays, open_source, subset
from training.data.prepare import crop_pictures
from training.gate import Comparison, GateResult, Limits, Pair, compare
from training.gate.run import time_both
from training.results import table

SETS: Final = ("celeba", "utkface", "fer2013")
TRAINED_ON: Final = 3000  # pictures of each train split
SEEDS: Final = 30
SWAPS: Final = 500
DRAWS: Final = 20
RESAMPLES: Final = 200  # of the bootstrap, which decides about calibration alone
LIMITS: Final = Limits()
SIZES: Final = {head: task.size for head, task in ALL_TASKS.items()}
MALE, YOUNG = ATTRIBUTES.index("Male"), ATTRIBUTES.index("Young")

Embeddings = NDArray[np.float32]
Net = Callable[[Embeddings], Answers]


class Part(NamedTuple):
    """One split: labels, the shipped network's embeddings (N, D) of its pictures, and the crops of a test split."""

    labels: LabelArrays
    embeddings: Embeddings
    crops: NDArray[np.uint8] | None

    @property
    def older_men(self) -> NDArray[np.bool_]:
        """(N,) men labelled as not young, or as 60 and older; nobody where neither is labelled."""
        if "attributes" in self.labels:
            return (self.labels["attributes"][:, MALE] == 1) & (self.labels["attributes"][:, YOUNG] == 0)
        if "age" in self.labels:
            return (self.labels["gender"] == 1) & (self.labels["age"] >= 60)
        return np.zeros(len(self.embeddings), bool)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer.from_pretrained()


@pytest.fixture(scope="module")
def parts(analyzer: FaceAnalyzer, shared_data: Any, pytestconfig: pytest.Config) -> dict[tuple[str, str], Part]:
    """By set and split; crops and embeddings are kept in pytest's cache, by the network and detector that made them."""
    weights = sha256((analyzer.checkpoint.folder / "model.safetensors").read_bytes()).hexdigest()[:12]
    folder = pytestconfig.cache.mkdir("gate-level")
    found = {}
    for name in SETS:
        for split in ("test", "train", *(["validation"] if name != "fer2013" else [])):
            source = open_source(shared_data / name, split)
            if split == "train":
                source = subset(source, np.random.default_rng(0).permutation(len(source))[:TRAINED_ON])
            file = folder / f"{name}-{split}-{weights}-{EDITIONS['mtcnn']}.npz"
            if not file.exists():
                crops = crop_pictures(source, analyzer.detector, analyzer.framing, workers=0)
                stacked = np.stack([crop[0] for crop in crops if not isinstance(crop, str)])
                assert len(stacked) == len(source)
                kept = {"crops": stacked} if split == "test" else {}
                np.savez(file, embeddings=analyzer.embed(stacked), **kept)
            with np.load(file) as arrays:
                found[name, split] = Part(source.labels, arrays["embeddings"], arrays.get("crops"))
    return found


@pytest.fixture(scope="module")
def tests(parts: dict[tuple[str, str], Part]) -> dict[str, Part]:
    return {name: parts[name, "test"] for name in SETS}


@pytest.fixture(scope="module")
def seeds(parts: dict[tuple[str, str], Part]) -> list[Net]:
    """One recipe, 30 times."""
    return [train(parts, seed) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def rows() -> Iterator[list[list[str]]]:
    """The table, printed at the end."""
    found: list[list[str]] = []
    yield found
    print(
        "\n\n" + table(("candidate", "baseline", "pairs", "better", "not worse", "worse", "right is"), found, words=2)
    )


def train(parts: dict[tuple[str, str], Part], seed: int, pictures: int = TRAINED_ON) -> Net:
    """Heads with one hidden layer; `seed` decides their first weights and the order of the pictures."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, sum(SIZES.values())))
    train = [parts[name, "train"] for name in SETS]
    every = np.concatenate([part.embeddings for part in train])
    mean, spread = every.mean(0), every.std(0)
    x = [torch.from_numpy((part.embeddings[:pictures] - mean) / spread) for part in train]
    years = torch.arange(101.0)
    targets = [
        torch.from_numpy(train[0].labels["attributes"]),
        torch.softmax(-((years - torch.from_numpy(train[1].labels["age"])[:, None]) ** 2) / (2 * 2.5**2), 1),
        torch.from_numpy(train[2].labels["expression_label"]),
    ]
    men = torch.from_numpy(train[1].labels["gender"])
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.05)
    for _ in range(10):
        orders = [torch.randperm(pictures, generator=generator).split(64) for _ in SETS]
        for batch in zip(*orders, strict=True):
            logits = [split_heads(net(x[k][drawn])) for k, drawn in enumerate(batch)]
            loss = binary_cross_entropy_with_logits(logits[0]["attributes"], targets[0][batch[0]])
            loss = loss + 0.1 * cross_entropy(logits[1]["age"], targets[1][batch[1]])
            loss = loss + 0.3 * cross_entropy(logits[2]["expression"], targets[2][batch[2]])
            male = logits[1]["attributes"][:, MALE]
            loss = loss + 0.1 * binary_cross_entropy_with_logits(male, men[batch[1]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.inference_mode()
    def answer(embeddings: Embeddings) -> Answers:
        return decode(split_heads(net(torch.from_numpy((embeddings - mean) / spread))), ALL_TASKS)

    return answer


def split_heads(logits: Tensor) -> dict[str, Tensor]:
    return dict(zip(SIZES, logits.split(list(SIZES.values()), 1), strict=True))


def disturbed(net: Net, part: Part, who: NDArray[np.bool_], strength: float, random: np.random.Generator) -> Answers:
    """The net's answers with noise on the embeddings of some pictures, `strength` times each dimension's own spread."""
    noise = random.normal(0, strength, part.embeddings.shape) * part.embeddings.std(0) * who[:, None]
    return net((part.embeddings + noise).astype(np.float32))


def swapped(first: Answers, second: Answers, swap: NDArray[np.bool_]) -> tuple[Answers, Answers]:
    """The answers of both, those of the pictures in `swap` (N,) exchanged."""

    def mixed(a: Answers, b: Answers) -> Answers:
        pairs = {one.name: (getattr(a, one.name), getattr(b, one.name)) for one in fields(Answers)}
        return Answers(**{n: np.where(swap.reshape(-1, *[1] * (x.ndim - 1)), y, x) for n, (x, y) in pairs.items()})

    return mixed(first, second), mixed(second, first)


def judged(tests: dict[str, Part], candidate: dict[str, Answers], baseline: dict[str, Answers]) -> GateResult:
    """The gate on ready answers, by set."""
    pairs = {name: Pair(tests[name].labels, candidate[name], baseline[name]) for name in candidate}
    comparisons, lost = compare(pairs, LIMITS, resamples=RESAMPLES)
    return GateResult("candidate", "baseline", {}, tuple(comparisons), tuple(lost))


def answered(net: Net, tests: dict[str, Part]) -> dict[str, Answers]:
    return {name: net(part.embeddings) for name, part in tests.items()}


def share(count: int, total: int) -> str:
    """As "2.4 % (1.2 to 4.1)", Clopper and Pearson's 95 % interval where there are 100 or more."""
    interval = stats.binomtest(count, total).proportion_ci()
    ends = f" ({100 * interval.low:.1f} to {100 * interval.high:.1f})" if total >= 100 else f" ({count} of {total})"
    return f"{100 * count / total:.1f} %{ends}"


def row(rows: list[list[str]], what: tuple[str, str], results: Sequence[GateResult], right: str) -> Counter[str]:
    """Adds the line of one kind of pair; the count of its verdicts."""
    verdicts = Counter[str](result.verdict for result in results)
    shares = [share(verdicts[verdict], len(results)) for verdict in ("better", "not worse", "worse")]
    rows.append([*what, str(len(results)), *shares, right])
    return verdicts


def gained(results: Sequence[GateResult], data: str, name: str, *of: str) -> float:
    """The mean gain of one headline, of everyone or of one group: points or years."""

    def wanted(one: Comparison) -> bool:
        group = tuple(one.of.values())
        return one.family in ("headlines", "groups") and (one.data, one.name, group) == (data, name, of)

    gains = [one.gain for result in results for one in result.comparisons if wanted(one)]
    return float(np.mean(gains)) * (1 if name == "age" else 100)


def key(one: Comparison) -> tuple[str, ...]:
    """What is compared, whatever the figures."""
    return one.family, one.name, *one.of.values()


def of_older_men(one: Comparison) -> bool:
    """Whether it is of a group of older men alone, of any race."""
    return one.of.get("gender") == "man" and one.of.get("age") in ("not young", "60+")


def test_the_same_net_twice(analyzer: FaceAnalyzer, tests: dict[str, Part], rows: list[list[str]]) -> None:
    answers = answered(analyzer.answer, tests)
    results = [judged(tests, answers, answers)]
    other = FaceAnalyzer.from_pretrained()
    factors = [time_both(analyzer, other).factor for _ in range(DRAWS)]
    print(f"\nthe same net timed twice: {min(factors):.2f} to {max(factors):.2f} times, {DRAWS} times measured")
    assert row(rows, ("the shipped net", "itself"), results, "not worse")["not worse"] == 1
    assert max(factors) < LIMITS.slowdown


@pytest.mark.parametrize("unit", ["picture", "person"])
@pytest.mark.parametrize("kind", ["two seeds", "half disturbed"])
def test_wrong_findings_where_nothing_differs(
    analyzer: FaceAnalyzer, tests: dict[str, Part], seeds: list[Net], rows: list[list[str]], kind: str, unit: str
) -> None:
    """Swapped at random, two nets' answers are exchangeable: better and worse are wrong, and so is any other finding.

    Swapped by person, pictures of one person on CelebA stay together, as the tests do not expect.
    """
    random = np.random.default_rng(1)
    if kind == "two seeds":
        first, second = (answered(net, tests) for net in seeds[:2])
        what = "a seed, answers swapped with"
    else:
        first = answered(analyzer.answer, tests)
        second = {n: disturbed(analyzer.answer, part, np.ones(1, bool), 0.5, random) for n, part in tests.items()}
        what = "the shipped net, answers swapped with"
    results = []
    for _ in range(SWAPS):
        pairs = {}
        for name, part in tests.items():
            who = np.arange(len(part.embeddings))
            if unit == "person" and "identity" in part.labels:
                who = np.unique(part.labels["identity"], return_inverse=True)[1]
            pairs[name] = swapped(first[name], second[name], (random.random(who.max() + 1) < 0.5)[who])
        ours, theirs = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
        results.append(judged(tests, ours, theirs))
    other = "another" if kind == "two seeds" else "itself under noise"
    verdicts = row(rows, (f"{what} (by {unit})", other), results, "not worse")
    wrong = sum(bool(result.better or result.worse) for result in results)
    print(f"\n{kind} by {unit}: any wrong finding in {share(wrong, SWAPS)}")
    assert stats.binomtest(wrong, SWAPS, LIMITS.alpha, "greater").pvalue > 0.01
    assert verdicts["worse"] + verdicts["better"] <= wrong


def test_thirty_seeds(
    parts: dict[tuple[str, str], Part], tests: dict[str, Part], seeds: list[Net], rows: list[list[str]]
) -> None:
    """They truly differ by a little, so that a finding need not be wrong: does it come again on the validation splits?

    By chance alone the same answer would be better there in half of the findings.
    """
    answers = [answered(net, tests) for net in seeds]
    disjoint = [judged(tests, answers[k], answers[k + 1]) for k in range(0, SEEDS, 2)]
    order = list(combinations(range(SEEDS), 2))
    every = [judged(tests, answers[i], answers[j]) for i, j in order]
    row(rows, ("a seed", "another seed (15 disjoint pairs)"), disjoint, "not worse")
    row(rows, ("a seed", "another seed (all 435 pairs)"), every, "not worse")
    counts = Counter((one.finding, one.family, one.name) for result in every for one in result.better + result.worse)
    print("\nfindings among 435 pairs of seeds:", dict(counts.most_common(12)))
    others = {name: parts[name, "validation"] for name in ("celeba", "utkface")}
    answers = [answered(net, others) for net in seeds]
    again = []
    for (i, j), result in zip(order, every, strict=True):
        if findings := [one for one in result.better + result.worse if one.data in others]:
            gains = {(one.data, *key(one)): one.gain for one in judged(others, answers[i], answers[j]).comparisons}
            again += [gains.get((one.data, *key(one)), 0.0) * one.gain > 0 for one in findings]
    print(f"the same sign on the validation splits in {sum(again)} of {len(again)} findings")
    assert sum(result.verdict != "not worse" for result in disjoint) <= 3


def test_noise_on_two_percent_of_the_weights(
    analyzer: FaceAnalyzer, tests: dict[str, Part], rows: list[list[str]]
) -> None:
    """Of 2 % of all weights, drawn at random, each gets noise of 1, 2 or 4 times its tensor's own spread."""
    small = {name: tests[name] for name in ("celeba", "utkface")}
    before = answered(analyzer.answer, small)
    for strength, draws in ((1, 5), (2, 5), (4, 5)):
        results = []
        for draw in range(draws):
            generator = torch.Generator().manual_seed(draw)
            other = FaceAnalyzer.from_pretrained()
            with torch.no_grad():
                for weights in other.model.parameters():
                    if weights.ndim > 1:
                        chosen = torch.rand(weights.shape, generator=generator) < 0.02
                        noise = torch.randn(weights.shape, generator=generator) * weights.std() * strength
                        weights += noise * chosen
            other = FaceAnalyzer(replace(other.checkpoint, model=other.model), other.detector)
            results.append(judged(small, {n: other.predict(part.crops) for n, part in small.items()}, before))  # type: ignore[arg-type]
        lost = f"{-gained(results, 'celeba', 'attributes'):.2f} points, {-gained(results, 'utkface', 'age'):.2f} years"
        what = f"the shipped net, 2 % of its weights noised {strength} x (loses {lost})"
        verdicts = row(rows, (what, "the shipped net"), results, "worse")
        assert verdicts["better"] == 0
        assert strength < 4 or verdicts["worse"] == draws


def test_worse_for_one_group_only(analyzer: FaceAnalyzer, tests: dict[str, Part], rows: list[list[str]]) -> None:
    before = answered(analyzer.answer, tests)
    for strength in (0.5, 1.0, 2.0):
        results = []
        for draw in range(DRAWS):
            random = np.random.default_rng(draw)
            net = analyzer.answer
            ours = {n: disturbed(net, part, part.older_men, strength, random) for n, part in tests.items()}
            results.append(judged(tests, ours, before))
        rated = older_men(results, strength)
        beyond = -gained(results, "celeba", "attributes", "man", "not young") > 100 * LIMITS.margin
        right = "worse" if beyond else "not worse (in the margin)"
        verdicts = row(rows, (f"the shipped net, disturbed for older men only ({rated})", "itself"), results, right)
        assert verdicts["better"] == 0
        assert strength < 2 or verdicts["worse"] == DRAWS


def test_better_overall(
    parts: dict[tuple[str, str], Part], tests: dict[str, Part], seeds: list[Net], rows: list[list[str]]
) -> None:
    """Better: the recipe with all its pictures, against with fewer. And so, but worse for older men."""
    weak = {few: [answered(train(parts, 100 + k, few), tests) for k in range(10)] for few in (500, 1500)}
    for few, baselines in weak.items():
        results = [judged(tests, answered(net, tests), weak) for net, weak in zip(seeds, baselines, strict=False)]
        more = f"{gained(results, 'celeba', 'attributes'):.2f} points, {gained(results, 'utkface', 'age'):.2f} years"
        verdicts = row(rows, (f"a seed (gains {more})", f"trained on {few} pictures"), results, "better")
        print(f"\nwhy worse than with {few} pictures:", [r.reasons[0] for r in results if r.verdict == "worse"])
        assert verdicts["worse"] <= 1
        assert few > 500 or verdicts["better"] >= 8
    for strength in (4.0, 6.0, 8.0):
        results = []
        for draw, (net, baseline) in enumerate(zip(seeds, weak[500] * 2, strict=False)):
            random = np.random.default_rng(draw)
            ours = {n: disturbed(net, part, part.older_men, strength, random) for n, part in tests.items()}
            results.append(judged(tests, ours, baseline))
        more = f"gains {gained(results, 'celeba', 'attributes'):.2f} points overall; {older_men(results, strength)}"
        headline = sum(any(one.family == "headlines" for one in result.better) for result in results)
        print(f"\nbetter but for older men, noise {strength}: a headline is better in {headline} of {len(results)}")
        row(rows, (f"a seed, disturbed for older men ({more})", "trained on 500 pictures"), results, "worse")
    assert all(result.verdict == "worse" for result in results)


def older_men(results: Sequence[GateResult], strength: float) -> str:
    """What older men lose on average, and in how many pairs they are named."""
    named = sum(any(map(of_older_men, result.worse)) for result in results)
    lost = -gained(results, "celeba", "attributes", "man", "not young")
    return f"noise {strength:g}: they lose {lost:.1f} points, named in {100 * named / len(results):.0f} %"
