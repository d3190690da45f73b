"""What a process does with freed memory is set once and for all, so each case has a process of its own."""

import subprocess
import sys

SCRIPT = """
import resource
import sys

import numpy as np

from facekit.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for round_ in range(12):
    if round_ == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pictures = [np.ones(20_000_000, np.uint8) for _ in range(4)]
    del pictures
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages asked of the system anew in ten rounds of 80 MB."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def test_memory_is_used_again() -> None:
    assert faults("keep") < 1000
    assert faults("leave") > 10_000  # so that the test above can fail
