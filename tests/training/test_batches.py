from itertools import islice

import numpy as np

from training.batches import MixedBatches


def batches(epochs: int = 1, count: int = 7) -> list[list[tuple[int, int]]]:
    """Batches of 4 from 10 pictures in two strata (8 and 2) and of 2 from 5 in one."""
    strata = [[np.arange(8), np.array([8, 9])], [np.arange(10, 15)]]
    made = MixedBatches(strata, [4, 2], count, seed=0)
    found = []
    for epoch in range(epochs):
        made.epoch = epoch
        found += list(made)
    return found


def test_every_batch_has_the_mixture_and_every_half_of_it_too() -> None:
    for batch in batches():
        indices = [i for i, _ in batch]
        assert sum(i >= 10 for i in indices) == 2
        assert [sum(i >= 10 for i in half) for half in (indices[:3], indices[3:])] == [1, 1]


def test_strata_take_turns_whatever_their_size() -> None:
    drawn = [i for batch in batches() for i, _ in batch if i < 10]
    assert sum(i >= 8 for i in drawn) == len(drawn) / 2


def test_everything_is_seen_once_a_lap() -> None:
    drawn = [draw for batch in batches(epochs=3) for draw in batch]
    assert len(drawn) == len(set(drawn))
    assert {i for i, lap in drawn if lap == 0} == set(range(15))


def test_epochs_go_on_where_the_last_one_stopped() -> None:
    assert batches(epochs=3, count=4) == list(islice(batches(epochs=1, count=12), 12))
