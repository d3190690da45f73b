"""Answers of every picture as lines, McNemar's test between two of them, and the page of mistakes."""

import json
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facekit.errors import DataError
from tests.training.test_evaluate import colour, source, stand_in
from training.answer_file import answer_lines, compare_answers, read_answers, write_lines
from training.evaluate import Reading, read_source
from training.gallery import write_gallery
from training.metrics.mcnemar import mcnemar
from training.questions import Question, questions_of
from training.records import Record


@pytest.fixture(scope="module")
def reading() -> Reading:
    """Women aged 20 to 31 but two; the second is damaged, the third's face is not found and labelled a man."""
    pictures = [colour(20 + i, 0, 0 if i == 2 else 200) for i in range(12)]
    pictures[1] = b""
    gender = ["female"] * 12
    gender[2] = "male"
    gender[3] = ""
    age = [20.0 + i for i in range(12)]
    age[4], age[5], age[6] = 29.0, 31.0, np.nan  # 5 and 6 years off
    made = source(pictures, gender=gender, age=age, Smiling=[i == 11 for i in range(12)])
    return read_source(stand_in(), made, progress=False)


def test_questions_say_what_is_right_and_how_sure(reading: Reading) -> None:
    questions = {question.name: question for question in questions_of(reading.labels, reading.answers)}
    assert list(questions) == ["Smiling", "gender", "age"]
    gender, age = questions["gender"], questions["age"]
    assert (gender.truth[1], gender.answer[1], gender.right[1]) == ("man", "woman", 0)
    assert np.isnan(gender.right[2])
    assert gender.confidence == pytest.approx(np.full(11, 0.9))
    assert age.right[[3, 4]].tolist() == [1, 0]
    assert np.isnan(age.right[5])
    assert age.confidence == pytest.approx(np.full(11, 11 / 101))  # an even distribution: 11 years of 101
    assert questions["Smiling"].wrong.tolist() == [10]


def test_the_surest_mistakes_come_first() -> None:
    right, confidence = np.array([0, 1, 0, np.nan, 0]), np.array([0.3, 0.9, 0.5, 0.9, 0.4])
    assert Question("gender", np.full(5, "man"), np.full(5, "woman"), right, confidence).wrong.tolist() == [2, 4, 0]


def test_one_line_a_picture_that_was_read(reading: Reading, tmp_path: Path) -> None:
    lines = answer_lines(reading)
    assert [line["file"] for line in lines] == [f"{i}.png" for i in range(12) if i != 1]
    assert lines[1] == {
        "file": "2.png",
        "face_found": False,
        "truth": {"Smiling": "no", "gender": "man", "age": 22.0},
        "answer": {"Smiling": "no", "gender": "woman", "age": 22.0},
        "confidence": {"Smiling": 0.9, "gender": 0.9, "age": pytest.approx(11 / 101, abs=1e-5)},
        "wrong": ["gender"],
    }
    assert "gender" not in lines[2]["answer"]  # not labelled
    write_lines(tmp_path / "a.jsonl", lines)
    assert read_answers(tmp_path / "a.jsonl") == lines


def test_files_of_something_else_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl"):
        read_answers(tmp_path / "a.jsonl")
    for text in ("", "{", "[]\n", '{"file": "x"}\n'):
        (tmp_path / "a.jsonl").write_text(text)
        with pytest.raises(DataError, match="evaluate --answers"):
            read_answers(tmp_path / "a.jsonl")


def rights(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first, second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_has_the_published_values() -> None:
    many = mcnemar(*rights(101, 121, 59, 33))  # the counts of Wikipedia's first example
    assert (many.only_first, many.only_second, many.name) == (121, 59, "chi-square")
    assert many.p == pytest.approx(5.45e-6, rel=0.01)  # statistic 61 ** 2 / 180 = 20.67
    few = mcnemar(*rights(59, 6, 16, 80))
    assert (few.name, few.p) == ("exact", pytest.approx(0.0525, abs=1e-4))


def test_mcnemar_at_its_edges() -> None:
    assert mcnemar(*rights(5, 0, 0, 5)).p == 1
    assert mcnemar(*rights(0, 30, 30, 0)).p == 1
    assert mcnemar(*rights(0, 5, 0, 0)).p == pytest.approx(2 / 2**5)
    assert mcnemar(*rights(0, 24, 0, 0)).name == "exact"
    assert mcnemar(*rights(0, 25, 0, 0)).name == "chi-square"
    first, second = rights(10, 20, 9, 10)
    assert mcnemar(first, second).p == mcnemar(second, first).p


def line(file: str, *wrong: str, **truth: str) -> Record:
    return {"file": file, "truth": truth, "wrong": list(wrong)}


def test_answers_are_compared_question_by_question() -> None:
    first = [line("a", gender="man", Bald="no"), line("b", "gender", gender="man"), line("c", "gender", gender="man")]
    second = [line("a", "gender", gender="man"), line("b", gender="man"), line("c", "gender", gender="man")]
    assert compare_answers(first, second) == [
        {
            "question": "gender",
            "pictures": 3,
            "both_right": 0,
            "only_first": 1,
            "only_second": 1,
            "neither": 1,
            "test": "exact",
            "p": 1.0,
        }
    ]
    with pytest.raises(DataError, match="not to the same pictures"):
        compare_answers(first, second[:2])
    with pytest.raises(DataError, match="what is true of gender"):
        compare_answers(first[:1], [line("a", gender="woman")])
    with pytest.raises(DataError, match="no question in common"):
        compare_answers(first[:1], [line("a", Young="no")])


def test_the_page_holds_the_crops_of_mistakes(reading: Reading, tmp_path: Path) -> None:
    write_gallery(tmp_path, stand_in(), reading, most=1)
    page = (tmp_path / "index.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "mistakes.jsonl"}
    assert "do not pass on" in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)  # nothing is fetched
    urls = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="Labelled (.+), answered (.+)">', page)
    assert [told[1:] for told in urls] == [("yes", "no"), ("man", "woman"), ("31 years", "25 years")]
    crop = np.asarray(Image.open(BytesIO(b64decode(urls[2][0]))))
    assert crop.shape == (128, 112, 3)
    assert crop[64, 56, 0] == pytest.approx(25, abs=4)  # the red of the picture with the wrong age
    listed = [json.loads(line) for line in (tmp_path / "mistakes.jsonl").read_text().splitlines()]
    assert [(one["file"], one["truth"], one["answer"]) for one in listed] == [
        ("2.png", {"gender": "man"}, {"gender": "woman"}),
        ("5.png", {"age": 31.0}, {"age": 25.0}),
        ("11.png", {"Smiling": "yes"}, {"Smiling": "no"}),
    ]


def test_names_are_escaped_and_no_mistake_is_said(tmp_path: Path) -> None:
    made = source([colour(30)] * 2, gender=["male", "female"])
    made.labels["file"] = np.array(["<b>x</b>.png", "y.png"])
    write_gallery(tmp_path, stand_in(), read_source(stand_in(), made, progress=False))
    assert "&lt;b&gt;x" in (tmp_path / "index.html").read_text()
    right = source([colour(30)], age=[30])
    write_gallery(tmp_path, stand_in(), read_source(stand_in(), right, progress=False))
    assert "Nothing was answered wrong." in (tmp_path / "index.html").read_text()
    assert (tmp_path / "mistakes.jsonl").read_text() == ""
