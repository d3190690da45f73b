"""live: faces are found, followed, told apart, read in turns, and forgotten."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit import FaceAnalyzer, FacekitError, LiveAnalyzer, Report
from facekit.errors import ImageTooLarge, UnreadableImage, VideoError
from facekit.images import read_image

Picture = NDArray[np.uint8]
STEP = 0.05  # seconds between two frames


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer.from_pretrained()


@pytest.fixture
def live(analyzer: FaceAnalyzer) -> LiveAnalyzer:
    return LiveAnalyzer(analyzer)


@pytest.fixture(scope="module")
def face(astronaut: Picture) -> Picture:
    return np.ascontiguousarray(astronaut[0:330, 60:390])


def scene(*faces: tuple[Picture, float, float, int]) -> Picture:
    """(480, 640, 3): pictures with their left, top and side, on grey."""
    canvas = np.full((480, 640, 3), 100, np.uint8)
    for picture, left, top, side in faces:
        x, y = round(left), round(top)
        canvas[y : y + side, x : x + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return canvas


def play(live: LiveAnalyzer, frames: Iterator[Picture], start: float = 0.0) -> list[Report]:
    return [live(frame, start + i * STEP) for i, frame in enumerate(frames)]


def test_one_face_keeps_its_number_while_it_moves_and_grows(live: LiveAnalyzer, face: Picture) -> None:
    reports = play(live, (scene((face, 10 + 8 * i, 20 + i, 280 + 4 * i)) for i in range(25)))
    assert all([f.track for f in report.faces] == [1] for report in reports)
    for i, report in enumerate(reports):
        x1, y1, x2, y2 = report.faces[0].box
        side = 280 + 4 * i
        assert abs((x1 + x2) / 2 - (10 + 8 * i + 0.495 * side)) < 0.05 * side
        assert abs((y1 + y2) / 2 - (20 + i + 0.365 * side)) < 0.05 * side
        assert report.faces[0].presence == 1
    assert (reports[-1].width, reports[-1].height) == (640, 480)


def test_its_answers_are_those_of_a_photo(live: LiveAnalyzer, analyzer: FaceAnalyzer, face: Picture) -> None:
    frame = scene((face, 100, 50, 330))
    [slow], [quick] = analyzer(frame).faces, play(live, iter([frame] * 10))[-1].faces
    assert quick.age is not None and slow.age is not None and quick.expression is not None
    assert abs(quick.age.years - slow.age.years) < 3
    assert quick.attributes["Smiling"] > 0.9
    differ = [
        n for n, p in slow.attributes.items() if n not in slow.unsure and (p >= 0.5) != (quick.attributes[n] >= 0.5)
    ]
    assert differ == []
    assert quick.to_dict()["track"] == 1 and quick.to_dict()["presence"] == 1
    assert "track" not in slow.to_dict()


def test_two_faces_are_told_apart_when_they_pass(live: LiveAnalyzer, face: Picture) -> None:
    other = np.ascontiguousarray(face[:, ::-1])
    frames = (scene((face, 10 + 6 * i, 20, 200), (other, 420 - 6 * i, 260, 200)) for i in range(60))
    reports = play(live, frames)
    for i, report in enumerate(reports):
        by_number = {f.track: f.box[1] for f in report.faces}
        assert len(by_number) == 2, i
    assert {f.track for f in reports[0].faces} == {f.track for f in reports[-1].faces} == {1, 2}
    above = [min(report.faces, key=lambda f: f.box[1]).track for report in reports]
    assert len(set(above)) == 1


def test_a_lost_face_fades_and_is_known_again_elsewhere(live: LiveAnalyzer, face: Picture) -> None:
    here, empty, there = scene((face, 0, 0, 250)), scene(), scene((face, 380, 200, 250))
    play(live, iter([here] * 5))
    gone = play(live, iter([empty] * 14), 0.3)
    shown = [report.faces[0].presence if report.faces else 0.0 for report in gone]
    assert 0 < shown[1] < 1 and shown[-1] == 0
    assert shown == sorted(shown, reverse=True)
    back = play(live, iter([there] * 6), 1.2)
    assert [f.track for f in back[-1].faces] == [1]
    assert len(back[-1].faces) == 1


@pytest.fixture(scope="module")
def man(analyzer: FaceAnalyzer, shared_data: Path) -> Picture:
    """Somebody else, square."""
    photo = read_image(shared_data / "detection" / "faces" / "Tom_Cruise_avp_2014_4.jpg")
    left, top, right, _ = map(int, analyzer(photo).faces[0].box)
    third = (right - left) // 3
    part = photo[max(0, top - third) :, max(0, left - third) : right + third]
    return np.ascontiguousarray(part[: part.shape[1]])


def test_a_face_that_jumps_keeps_its_number_and_is_shown_once(live: LiveAnalyzer, face: Picture) -> None:
    play(live, iter([scene((face, 0, 0, 250))] * 10))
    reports = play(live, iter([scene((face, 380, 200, 250))] * 8), 0.5)
    seen = [[f.track for f in report.faces if f.presence == 1] for report in reports[4:]]
    assert seen == [[1]] * 4
    assert [f.track for f in reports[4].faces] == [1], "not where it was, too"


def test_a_frame_of_another_size_is_the_same_video(live: LiveAnalyzer, face: Picture) -> None:
    play(live, iter([scene((face, 300, 100, 250))] * 5))
    upright = np.ascontiguousarray(np.rot90(scene()))  # (640, 480, 3): a phone was turned
    upright[300:550, 20:270] = cv2.resize(face, (250, 250), interpolation=cv2.INTER_AREA)
    for report in play(live, iter([upright] * 5), 0.25):
        assert (report.width, report.height) == (480, 640)
        assert [f.track for f in report.faces] == [1], "nothing at a place of the other size"
        assert report.faces[0].box[0] < 150


@pytest.mark.parametrize("man_is_in_front", [True, False])
def test_numbers_survive_a_quick_crossing(
    man_is_in_front: bool, live: LiveAnalyzer, face: Picture, man: Picture
) -> None:
    def crossing() -> Iterator[Picture]:
        for i in range(28):
            two = ((face, 10 + 14 * i, 100, 200), (man, 420 - 14 * i, 90, 200))
            yield scene(*(two if man_is_in_front else two[::-1]))

    reports = play(live, crossing())
    assert [f.track for f in reports[5].faces] == [1, 2]
    assert [f.track for f in reports[-1].faces] == [2, 1]
    assert len(live._people) == 2


def test_somebody_else_in_the_same_place_gets_a_number_of_their_own(
    live: LiveAnalyzer, face: Picture, man: Picture
) -> None:
    play(live, iter([scene((face, 150, 80, 330))] * 10))
    later = play(live, iter([scene((man, 150, 60, 380))] * 30), 0.6)
    assert [f.track for f in later[-1].faces] == [2]


def test_a_new_face_is_seen_within_half_a_second(live: LiveAnalyzer, face: Picture) -> None:
    play(live, iter([scene((face, 0, 0, 250))] * 20))
    reports = play(live, iter([scene((face, 0, 0, 250), (face, 330, 200, 250))] * 12), 1.0)
    assert len(reports[-1].faces) == 2


def test_many_faces_are_read_in_turns(live: LiveAnalyzer, face: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    embed = live.analyzer.embed
    monkeypatch.setattr(live.analyzer, "embed", lambda crops: counts.append(len(crops)) or embed(crops))
    crowd = scene(*((face, 10 + 210 * (i % 3), 10 + 230 * (i // 3), 200) for i in range(6)))
    reports = play(live, iter([crowd] * 6))
    assert max(counts) == 2
    assert {f.track for f in reports[-1].faces} == set(range(1, 7))
    middles = [f.box[0] + f.box[2] for f in reports[-1].faces]
    assert middles == sorted(middles)


def test_nobody_is_an_empty_list_and_forgetting_starts_over(live: LiveAnalyzer, face: Picture) -> None:
    assert live(scene(), 0.0).faces == []
    play(live, iter([scene((face, 0, 0, 300))] * 3), 1.0)
    live.forget()
    assert [f.track for f in live(scene((face, 0, 0, 300)), 0.0).faces] == [1]
    assert live(np.full((5, 5, 3), 9, np.uint8), 9.0).faces == []


def test_people_are_forgotten_after_a_while(live: LiveAnalyzer, face: Picture) -> None:
    play(live, iter([scene((face, 0, 0, 300))] * 3))
    live(scene(), 20.0)
    assert live._people
    live(scene(), 31.0)
    assert not live._people and not live._tracks


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda live: live(scene(), -1.0), VideoError),
        (lambda live: live(scene(), float("nan")), VideoError),
        (lambda live: live(scene(), "2.0"), VideoError),  # type: ignore[arg-type]
        (lambda live: live(scene(), None), VideoError),  # type: ignore[arg-type]
        (lambda live: live(scene(), 10**400), VideoError),
        (lambda live: live(b"no picture", 2.0), UnreadableImage),
        (lambda live: live(np.zeros((4000, 4000, 3), np.uint8), 2.0), ImageTooLarge),
    ],
)
def test_bad_frames_are_told_and_do_no_harm(
    call: Callable[[LiveAnalyzer], Report], error: type[FacekitError], live: LiveAnalyzer, face: Picture
) -> None:
    live(scene((face, 0, 0, 300)), 1.0)
    with pytest.raises(error):
        call(live)
    assert [f.track for f in live(scene((face, 0, 0, 300)), 3.0).faces] == [1]


def test_a_time_that_is_none_is_told_in_a_sentence_of_its_own(live: LiveAnalyzer) -> None:
    with pytest.raises(VideoError, match="nan is no time: give seconds"):
        live(scene(), float("nan"))


def test_reports_are_plain_numbers_whatever_the_timestamp_is(live: LiveAnalyzer, face: Picture) -> None:
    live(scene((face, 0, 0, 300)), np.float32(0.0))  # type: ignore[arg-type]
    json.dumps(live(scene(), np.float32(0.1)).to_dict())  # type: ignore[arg-type]


def test_a_haar_analyzer_is_followed_by_mtcnn_all_the_same(face: Picture) -> None:
    live = LiveAnalyzer(FaceAnalyzer.from_pretrained(detector="haar"))
    report = live(scene((face, 100, 50, 330)), 0.0)
    assert report.detector == "mtcnn" and len(report.faces) == 1
