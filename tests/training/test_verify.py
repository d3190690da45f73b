"""Verification: pairs that share nobody across folds, thresholds fitted on other folds, and the embeddings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facekit.analyze import FaceAnalyzer
from facekit.checkpoints import Checkpoint, CheckpointConfig
from facekit.errors import DataError
from facekit.nets import build
from facekit.tasks import AgeTask
from tests.training.test_evaluate import FindsBrightOnes, colour, source, stand_in
from training.data import open_source
from training.data.pairs import Pairs, identity_pairs
from training.metrics import Bootstrap, cross_validated, pair_scores, verification
from training.metrics.verification import best_threshold
from training.verify import verify


def people(count: int, photos: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(count), photos))


def test_pairs_are_what_they_say_and_their_folds_share_nobody() -> None:
    identity = people(60, 4)
    identity[:3] = -1
    pairs = identity_pairs(identity, folds=5, each=20)
    who = np.stack([identity[pairs.left], identity[pairs.right]], 1)
    assert len(pairs) == 5 * 40
    assert (who >= 0).all()
    assert ((who[:, 0] == who[:, 1]) == pairs.same).all()
    assert (pairs.left != pairs.right).all()
    assert len(set(map(frozenset, zip(pairs.left, pairs.right, strict=True)))) == len(pairs)  # none twice
    for fold in range(5):
        assert pairs.same[pairs.fold == fold].sum() == 20
        assert not set(who[pairs.fold == fold].ravel()) & set(who[pairs.fold != fold].ravel())


def test_the_same_seed_gives_the_same_pairs() -> None:
    first, again, other = (identity_pairs(people(60, 4), 5, 20, seed).left for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_too_few_pairs_is_one_sentence_with_what_there_is() -> None:
    with pytest.raises(DataError, match="have 6 pairs of each kind in every one of 2 folds, not 7"):
        identity_pairs(people(4, 3), folds=2, each=7)
    assert len(identity_pairs(people(4, 3), folds=2, each=6)) == 24
    with pytest.raises(DataError, match="have 0 pairs"):
        identity_pairs(np.full(9, -1), folds=3, each=1)


def test_real_identities_have_pairs(shared_data: Path) -> None:
    identity = open_source(shared_data / "celeba", "test").labels["identity"]
    pairs = identity_pairs(identity, each=100)
    assert pairs.same.sum() == 1000
    assert ((identity[pairs.left] == identity[pairs.right]) == pairs.same).all()


def test_scores_are_cosines() -> None:
    embeddings = np.array([[3, 4], [6, 8], [-4, 3], [0, 0]], np.float32)
    pairs = np.array([[0, 1], [0, 2], [1, 3]])
    assert pair_scores(embeddings, pairs) == pytest.approx([1, 0, 0])


def test_the_threshold_is_best_and_halfway() -> None:
    same = np.array([True, True, False, False])
    assert best_threshold(np.array([0.9, 0.5, 0.3, 0.1]), same) == pytest.approx(0.4)
    assert best_threshold(np.array([0.9, 0.2, 0.3, 0.1]), same) == pytest.approx(0.6)  # the higher one of two
    assert best_threshold(np.array([0.1, 0.2, 0.3, 0.4]), same) == np.inf
    assert best_threshold(np.array([0.4, 0.3]), np.array([True, True])) == -np.inf


def test_a_fold_is_judged_by_the_threshold_of_the_others() -> None:
    same = np.tile([True, False], 6)
    scores = np.tile([0.8, 0.2], 6)
    folds = np.repeat([0, 1, 2], 4)
    scores[folds == 2] += 0.4  # its different people score 0.6, above the others' threshold of 0.5
    right = cross_validated(scores, same, folds)
    assert right[folds < 2].all()
    assert (right[folds == 2] == same[folds == 2]).all()
    found = verification(scores, same, folds, Bootstrap(12, np.random.default_rng(0), 50))
    assert {name: samples[0] for name, samples in found.items()} == pytest.approx(
        {"accuracy": 10 / 12, "roc_auc": 1.0, "equal_error_rate": 0.0}
    )
    assert all(samples.shape == (51,) for samples in found.values())
    with pytest.raises(DataError, match="at least two"):
        cross_validated(scores, same, np.zeros(12, int))


def embedding_stand_in() -> Any:
    """Embeds a picture by its red as a direction: red 0 and 200 are at right angles."""
    analyzer = stand_in()

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        angle = crops[:, 64, 56, 0].astype(np.float32) / 200 * np.pi / 2
        return np.stack([np.cos(angle), np.sin(angle)], 1)

    analyzer.embed = embed
    return analyzer


def test_pictures_are_read_once_and_compared() -> None:
    reds = [0, 5, 200, 195, 90, 95]  # three people, two photos each
    pictures = source([*(colour(red) for red in reds), b""])
    rows = np.array([[0, 1], [0, 2], [2, 3], [1, 3], [4, 5], [4, 0], [5, 6]])
    pairs = Pairs(*rows.T, np.array([1, 0, 1, 0, 1, 0, 1], bool), np.array([0, 0, 0, 0, 1, 1, 1]))
    record = verify(embedding_stand_in(), pictures, pairs, split="test", resamples=50, progress=False)
    found = record["verification"]
    assert (found["pairs"], found["same"], found["folds"]) == (6, 3, 2)  # the damaged picture's pair is left out
    assert record["damaged"][0].startswith("6.png: ")
    assert (record["pictures"], record["split"], record["checkpoint"]) == (6, "test", "colour")
    assert (found["roc_auc"], found["equal_error_rate"]) == (1, 0)
    # the second fold's different people are 40 degrees apart, the first's threshold lies at about 57
    assert found["accuracy"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["accuracy_by_fold"] == [1, 0.5]
    assert found["accuracy_standard_error"] == pytest.approx(0.25)
    with pytest.raises(DataError, match="None of the 1 pairs"):
        verify(embedding_stand_in(), pictures, pairs.subset(rows[:, 1] == 6), progress=False)


@torch.inference_mode()
def test_the_analyzer_embeds_what_its_heads_read() -> None:
    torch.manual_seed(0)
    network = {"widths": [8, 8, 8, 8], "depths": [1, 1, 1, 1]}
    config = CheckpointConfig(network=network, tasks={"age": AgeTask()})
    model = build("face-net", {"age": 101}, network).eval()
    analyzer = FaceAnalyzer(Checkpoint("tiny", Path(), config, model), FindsBrightOnes())
    crops = np.random.default_rng(0).integers(256, size=(70, 128, 112, 3), dtype=np.uint8)
    embeddings = analyzer.embed(crops)
    assert (embeddings.shape, embeddings.dtype) == ((70, 8), np.float32)
    logits = model.heads["age"](torch.from_numpy(embeddings[:5]))
    assert logits.numpy() == pytest.approx(analyzer.logits(analyzer.embed(crops[:5]))["age"].numpy(), abs=1e-4)
    one_way, other_way = (analyzer.embed(views, mirrored=False) for views in (crops[:5], crops[:5, :, ::-1]))
    assert (one_way + other_way) / 2 == pytest.approx(embeddings[:5], abs=1e-4)
    assert analyzer.embed(crops[:1, :, ::-1]) == pytest.approx(embeddings[:1], abs=1e-5)  # mirrored
