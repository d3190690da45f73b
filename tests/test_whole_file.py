"""whole_file: a file is there whole or not at all, and nothing but a file is ever replaced."""

import os
from pathlib import Path

import pytest

from facekit.errors import FacekitError
from facekit.whole_file import check_place, whole_file


def write(path: Path, text: str = "new") -> None:
    with whole_file(path) as place:
        place.write_text(text)


def test_a_file_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with whole_file(file) as place:
        place.write_text("new")
        assert not file.exists()
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_what_ends_badly_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(file) as place:
        place.write_text(str(1 / (place.write_text("half") - 4)))
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_pipe_and_a_folder_stay(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link, tmp_path):
        for act in (write, check_place):
            with pytest.raises(FacekitError, match="exists and is not a file: choose another place"):
                act(path)
    assert pipe.is_fifo() and link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, pipe]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)
    for text in ("first", "second"):
        write(link, text)
        assert link.is_symlink()
        assert target.read_text() == text


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(FacekitError, match="is not a file"):
        write(tmp_path / "link")


def test_a_place_is_checked_without_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "file"
    check_place(file)
    assert list(tmp_path.iterdir()) == []
    file.write_text("old")
    check_place(file)
    assert file.read_text() == "old"
    with pytest.raises(
        FacekitError, match=r"Cannot write .*no.such.file \(No such file or directory\): .* for --out\."
    ):
        check_place(tmp_path / "no" / "such" / "file", "--out")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
