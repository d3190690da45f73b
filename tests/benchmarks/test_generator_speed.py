"""The shipped generator, warm, through the Python API. `make bench` prints the table; medians on two threads."""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch

from facekit import FaceGenerator

ROUNDS = 25
LIMIT_MS = 150


def milliseconds(call: Callable[[], object]) -> float:
    times = []
    for round_ in range(ROUNDS + 3):
        start = perf_counter()
        call()
        if round_ >= 3:  # the first rounds warm up
            times.append(1000 * (perf_counter() - start))
    return median(times)


def test_sixteen_faces(record_property: Callable[[str, object], None]) -> None:
    generator, threads = FaceGenerator.from_pretrained(device="cpu"), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        spent = {n: milliseconds(lambda n=n: generator.sample(n, seed=n)) for n in (1, 16, 64)}  # type: ignore[misc]
        chosen = milliseconds(lambda: generator.sample(16, seed=1, attributes={generator.attributes[0]: True}))
    finally:
        torch.set_num_threads(threads)
    record_property("sixteen_ms", spent[16])
    told = " · ".join(f"{n} face{'s' * (n > 1)} {ms:.0f} ms" for n, ms in spent.items())
    print(f"\n{told} · 16 with a chosen attribute {chosen:.0f} ms")
    assert spent[16] <= LIMIT_MS and chosen <= LIMIT_MS
