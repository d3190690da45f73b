"""records: how they are written, and where they cannot be."""

import os
from pathlib import Path

import pytest

from facekit.errors import FacekitError
from training.records import append_lines, check_places, read_lines, read_record, write_record, write_text


def test_a_record_makes_its_folder_and_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "record.json"
    for pictures in (1, 2):
        write_record(file, {"pictures": pictures})
        assert read_record(file) == {"pictures": pictures}
    assert list(file.parent.iterdir()) == [file]


def test_lines_are_replaced_by_newer_ones_of_the_same(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    for figure in (1, 2):
        append_lines([{"recipe": "a", "seed": 0, "data": "d", "figure": figure}], file)
        append_lines([{"recipe": "b", "seed": 0, "data": "d", "figure": figure}], file)
    assert [(line["recipe"], line["figure"]) for line in read_lines(file)] == [("a", 2), ("b", 2)]


def test_a_pipe_is_never_replaced(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(FacekitError, match="is not a file"):
            write_text(path, "words")
        with pytest.raises(FacekitError, match="is not a file"):
            check_places(None, tmp_path / "fine.json", path)
    assert pipe.is_fifo() and link.is_symlink()


def test_folders_are_made_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_places(tmp_path / "deep" / "record.json")
    assert list((tmp_path / "deep").iterdir()) == []
    with pytest.raises(FacekitError, match="Cannot write"):
        check_places(tmp_path / "file" / "record.json")
