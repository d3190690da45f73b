"""Preparations that are killed, and pictures that cannot be read; with no detector that needs torch."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facekit.errors import DataError
from training.data import DataWarning, Source, open_source, subset
from training.data.prepare import prepare
from training.data.unfinished import Unfinished


def test_a_picture_that_cannot_be_opened_is_damaged(tmp_path: Path) -> None:
    picture = cv2.imencode(".png", np.full((60, 50, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "0.png").write_bytes(picture)
    (tmp_path / "1.png").mkdir()
    labels = {"file": np.array(["0.png", "1.png"])}
    two = Source("two", labels, lambda i: (tmp_path / f"{i}.png").read_bytes())
    with pytest.warns(DataWarning, match=r"1 of 2 left out \(damaged pictures\): 1.png"):
        assert len(prepare(two, tmp_path / "out", detector="haar", workers=0)) == 1
    assert "cannot be read (Is a directory)" in (tmp_path / "out" / "damaged.txt").read_text()


def shades(reads: list[int], count: int = 40, damaged: int = 7) -> Source:
    """Plain pictures, one of them damaged, that remember which of them were read."""

    def read(i: int) -> bytes:
        reads.append(i)
        whole = cv2.imencode(".png", np.full((40, 40, 3), 3 * i, np.uint8))[1].tobytes()
        return whole[: len(whole) // 2] if i == damaged else whole

    labels = {"file": np.array([f"{i}.png" for i in range(count)]), "age": np.arange(count, dtype=np.float32)}
    return Source("shades", labels, read)


_KILLED = """
from pathlib import Path
from time import sleep
import sys
sys.path.insert(0, {tests!r})
import training.data.unfinished
from test_unfinished import prepare, shades
from training.data import Source
training.data.unfinished.BLOCK = 4
source, read = shades([]), []
def slow(i):
    read.append(i)
    if read.count(30) == 2:  # read before it is cropped, to tell these pictures from others
        print("here", flush=True)
        sleep(600)
    return source.read(i)
prepare(Source(source.name, source.labels, slow), Path({folder!r}), detector="haar", workers=0)
"""


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_a_killed_preparation_goes_on_where_it_was(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    prepare(shades([]), whole, detector="haar", workers=0)
    script = _KILLED.format(tests=str(Path(__file__).parent), folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "here" not in (line := process.stdout.readline()):
            assert line, "the preparation ended before it could be killed"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "made.npz").exists()
    with (folder / "crops.log").open("a") as log:
        log.write("2")  # a line that was cut short
    reads: list[int] = []
    made = prepare(shades(reads), folder, detector="haar", workers=0)
    assert reads[:40] == list(range(40))  # are these the same pictures?
    assert reads[40:] == [7, 29, *range(30, 40)]  # the damaged one again, what was not written through, and the rest
    assert made.labels["age"].tolist() == [i for i in range(40) if i != 7]
    files = sorted(file.name for file in whole.iterdir())
    assert files == ["crops.npy", "damaged.txt", "made.npz"] == sorted(file.name for file in folder.iterdir())
    assert all((whole / name).read_bytes() == (folder / name).read_bytes() for name in files)
    prepare(shades(reads := []), folder, detector="haar", workers=0)
    assert reads == list(range(40))


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_crops_of_other_pictures_are_made_again(tmp_path: Path) -> None:
    first = prepare(shades([]), tmp_path, detector="haar", workers=0)
    shade = int(first.crops[5, 80, 70, 0])
    other = subset(shades([]), np.arange(39, -1, -1))
    other.labels["file"][:] = [f"{i}.png" for i in range(40)]  # the same names, as swapped and cleaned sets have them
    with pytest.warns(DataWarning, match="holds crops of other pictures"):
        made = prepare(other, tmp_path, detector="haar", workers=0)
    assert made.crops[5, 80, 70, 0] == 3 * 34
    assert first.crops[5, 80, 70, 0] == shade  # whoever still trains on the old ones may go on


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_labels_are_those_of_the_source_and_crops_are_kept_when_only_they_change(tmp_path: Path) -> None:
    prepare(shades([]), tmp_path, detector="haar", workers=0)
    other = shades(reads := [])
    other.labels["age"][:] += 50
    made = prepare(other, tmp_path, detector="haar", workers=0)
    assert made.labels["age"].tolist() == [50 + i for i in range(40) if i != 7]
    other.labels["file"][:] = [f"{i}.jpg" for i in range(40)]
    assert prepare(other, tmp_path, detector="haar", workers=0).labels["file"][0] == "0.jpg"
    assert len(reads) == 80  # to tell these pictures from others, twice; none was cropped again


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


_PREPARES = """
from pathlib import Path
import sys
sys.path.insert(0, {tests!r})
from test_unfinished import prepare, shades
from facekit.errors import DataError
try:
    prepare(shades([]), Path({folder!r}), detector="haar", workers=0)
except DataError as error:
    sys.exit(str(error))
"""


def test_a_disk_without_room_for_the_crops_is_one_sentence(full_disk: Path) -> None:
    """In a process of its own, which a write to a mapped file would kill."""
    script = _PREPARES.format(tests=str(Path(__file__).parent), folder=str(full_disk / "out"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    expected = f"Cannot write crops into {full_disk}/out (No space left on device): make room there or choose another"
    assert (done.returncode, done.stderr.strip()) == (1, f"{expected} place.")
    assert not list((full_disk / "out").iterdir())


def test_nothing_half_written_stays_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room, raising=False)
    with pytest.raises(DataError, match="make room there"):
        prepare(shades([]), tmp_path / "out", detector="haar", workers=0)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_where_no_room_can_be_reserved_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    made = prepare(shades([], count=10), tmp_path, detector="haar", workers=0)
    assert made.crops[:, 80, 70, 0].tolist() == [3 * i for i in range(10) if i != 7]
    assert (tmp_path / "crops.npy").stat().st_blocks * 512 >= 10 * made.crops[0].size


def test_a_line_of_the_log_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    crop = np.zeros((2, 2, 3), np.uint8)
    for row in (0, 57):
        unfinished = Unfinished(tmp_path, (200, 2, 2, 3), "crops")
        unfinished.add(row, crop, True)
        unfinished.flush()
        with (tmp_path / "crops.log").open("a") as log:
            log.write("\n1")  # of 100, say
    assert Unfinished(tmp_path, (200, 2, 2, 3), "crops").found == {0: True, 57: True}


_PARENT = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import sleep
import os
from training.data.prepare import leave_with_parent
pool = ProcessPoolExecutor(1, get_context("spawn"), leave_with_parent)
print(pool.submit(os.getpid).result(), flush=True)
sleep(600)
"""


def test_workers_leave_with_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        process.kill()
        process.communicate(timeout=60)  # reads until the worker, who shares the pipe, has left as well


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_a_truncated_jpeg_in_a_folder_is_counted_and_named(tmp_path: Path) -> None:
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (80, 60, 3), np.uint8))[1].tobytes()
    for name, data in {"man/1.jpg": whole, "man/2.jpg": whole[:900], "woman/1.jpg": whole, "woman/2.jpg": b""}.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(data)
    with pytest.warns(DataWarning, match=r"2 of 4 left out \(damaged pictures\): man/2.jpg, woman/2.jpg"):
        made = prepare(open_source(tmp_path / "set", "all"), tmp_path / "out", detector="haar", workers=0)
    assert made.labels["gender"].tolist() == [1, 0]
    named = (tmp_path / "out" / "damaged.txt").read_text().splitlines()
    assert named[0].startswith("man/2.jpg: The picture is damaged or cut short")
    assert named[1].startswith("woman/2.jpg: The picture is empty")


def test_pictures_that_a_shard_lacks_are_damaged(tmp_path: Path) -> None:
    whole = cv2.imencode(".png", np.full((40, 40, 3), 9, np.uint8))[1].tobytes()
    images = [{"bytes": whole, "path": "0"}, None, {"bytes": None, "path": "2"}]
    pq.write_table(pa.table({"image": images, "age": [1, 2, 3]}), tmp_path / "x.parquet")
    with pytest.warns(DataWarning, match=r"2 of 3 left out \(damaged pictures\): row 1, row 2"):
        made = prepare(open_source(tmp_path / "x.parquet"), tmp_path / "out", detector="haar", workers=0)
    assert made.labels["age"].tolist() == [1]
