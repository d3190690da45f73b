"""LiveAnalyzer: frames of a video to Reports, with every face followed from frame to frame."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass, field, replace
from itertools import count
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_iou

from facekit.align import crop_face
from facekit.analyze import FaceAnalyzer, ImageSource, face_of
from facekit.detect import Detections
from facekit.detect.mtcnn import MTCNNDetector
from facekit.detect.summed_area import MAX_PIXELS
from facekit.errors import ImageTooLarge, VideoError
from facekit.face import Face, Report
from facekit.images import read_image
from facekit.steady import Held, OneEuro, SteadyLogits

_THERE = 0.6  # score from which on a known face is still there; a new one needs that of the detector
_SAME_PLACE = 0.3  # intersection over union of a face found and one that is followed
_SAME_PERSON, _OTHER_PERSON = 0.9, 0.5  # cosine of embeddings; tests/benchmarks/test_live_accuracy.py prints both kinds
_STRIKES = 3  # readings in a row that must look like somebody else
_SETTLING = 1.0  # seconds in which somebody new may turn out to be somebody seen before
_REMEMBERED, _PEOPLE = 30.0, 32  # seconds that a face is remembered for, and how many are
_LONGEST = 0.5  # seconds between two readings: after more, what was known still counts
_RETRY = 0.15  # seconds between searches while a face is missing
_REST, _SPEED = 1.5, 6.0  # of the boxes' one-euro filter, per width of the face


@dataclass(eq=False)
class _Person:
    """What is remembered of one face: in memory, and no longer than the visit."""

    number: int
    logits: SteadyLogits
    held: Held
    embedding: NDArray[np.float32]  # (D,) mean
    since: float  # when they were seen first
    seen: float


@dataclass(eq=False)
class _Track:
    """A face that is being followed."""

    box: NDArray[np.float32]  # (4,) as it was seen last
    landmarks: NDArray[np.float32]
    score: float
    seen: float
    steady: OneEuro = field(default_factory=lambda: OneEuro(_REST, _SPEED))
    shown: NDArray[np.float32] | None = None  # (14,) box and landmarks, filtered
    person: _Person | None = None
    face: Face | None = None  # what was read last
    read: float = -math.inf
    strikes: int = 0

    def move(self, found: Detections, i: int, now: float) -> None:
        """Seen again, as face `i` of what was found."""
        self.box, self.landmarks, self.score = found.boxes[i], found.landmarks[i], float(found.scores[i])
        place = np.concatenate([self.box, self.landmarks.ravel()]).astype(np.float32)
        self.shown = self.steady(place, max(1.0, float(self.box[2] - self.box[0])), max(1e-3, now - self.seen))
        self.seen = now


class LiveAnalyzer:
    """Follows the faces of one video and reads age, perceived gender, expression and 40 attributes from each.

    New faces are searched for now and then; in between each is followed by the last of MTCNN's networks, which needs
    two milliseconds and finds a face that moved by a third of its width. Answers are refreshed in turns and averaged.

    Example:
        >>> live = LiveAnalyzer()
        >>> for seconds, frame in video:
        ...     for face in live(frame, seconds).faces:
        ...         print(face.track, face.age)

    One for each video or viewer; several may share one `FaceAnalyzer`. Nothing of a frame is kept but what the last one
    showed, and an embedding and averaged answers of each face, for half a minute.

    Args:
        analyzer: what reads the faces; the shipped default if none is given.
        search_every: seconds between two searches for new faces.
        reads: faces read in one frame, at most.
        read_every: seconds between two readings of a face, at least.
        smallest: the smallest face that is found, as a share of the frame's shorter side.
        fade: seconds that a face is still shown after it was seen last.
    """

    def __init__(
        self,
        analyzer: FaceAnalyzer | None = None,
        *,
        search_every: float = 0.5,
        reads: int = 2,
        read_every: float = 0.11,
        smallest: float = 0.125,
        fade: float = 0.4,
    ) -> None:
        self.analyzer = analyzer or FaceAnalyzer.from_pretrained()
        own = self.analyzer.detector
        self.detector = own if isinstance(own, MTCNNDetector) else MTCNNDetector()
        self.search_every, self.reads, self.read_every = search_every, reads, read_every
        self.smallest, self.fade = smallest, fade
        self.forget()

    def forget(self) -> None:
        """Start over, as for another video."""
        self._tracks: list[_Track] = []
        self._people: list[_Person] = []
        self._numbers = count(1)
        self._now = self._searched = -math.inf
        self._size = (0, 0)

    def __call__(self, frame: ImageSource, timestamp: float) -> Report:
        """What is seen in the next frame.

        Args:
            frame: (H, W, 3) uint8 RGB, or anything else that `FaceAnalyzer` takes.
            timestamp: seconds, not before that of the frame before. The frame may have another size than that one.

        Returns:
            A report whose faces have a `track` number each, and a `presence` that falls while one is not seen.

        Raises:
            ImageError: the frame cannot be used.
            VideoError: the timestamp is no finite number of seconds, or the time went back.
        """
        now = _seconds(timestamp)
        if now < self._now:
            raise VideoError(f"{now} s comes before the last frame's {self._now} s: call forget() to start over.")
        pixels = read_image(frame)
        height, width = pixels.shape[:2]
        if height * width > MAX_PIXELS:
            raise ImageTooLarge(f"A frame of {width}x{height} pixels is too large: send 4096x2048 at most.")
        self._now = now
        if pixels.shape[:2] != self._size:  # a phone was turned: the places are no longer right, the people are
            self._tracks, self._searched, self._size = [], -math.inf, (height, width)
        started = perf_counter()
        self._follow(pixels)
        if self._search_is_due():
            self._search(pixels)
        found = perf_counter()
        self._read(pixels)
        spent = {"detect": 1000 * (found - started), "read": 1000 * (perf_counter() - found)}
        self._remember()
        faces = sorted(filter(None, map(self._shown, self._tracks)), key=lambda face: face.box[0] + face.box[2])
        return Report(width, height, faces, self.analyzer.checkpoint.name, self.detector.name, spent)

    def _follow(self, pixels: NDArray[np.uint8]) -> None:
        """Move every track to where its face is now; forget those not seen for too long, and one of two on one face."""
        if not self._tracks:
            return
        found = self.detector.follow(pixels, np.stack([track.box for track in self._tracks]))
        for i, track in enumerate(self._tracks):
            if found.scores[i] >= _THERE and _overlap(found.boxes[i], track.box[None])[0] > 0:
                track.move(found, i, self._now)
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: track.seen < self._now):  # who is seen goes first
            others = np.array([other.box for other in kept], np.float32).reshape(-1, 4)
            if self._now - track.seen <= self.fade and not (_overlap(track.box, others) > 0.5).any():
                kept.append(track)
        self._tracks = kept

    def _search_is_due(self) -> bool:
        missing = not self._tracks or any(track.seen < self._now for track in self._tracks)
        return self._now - self._searched >= (min(_RETRY, self.search_every) if missing else self.search_every)

    def _search(self, pixels: NDArray[np.uint8]) -> None:
        """Find faces in the whole frame: known ones that were lost, and new ones."""
        self._searched = self._now
        smallest = max(self.detector.min_face_size, int(self.smallest * min(pixels.shape[:2])))
        found = self.detector(pixels, min_face_size=smallest)
        for i in range(len(found)):
            places = np.array([track.box for track in self._tracks], np.float32).reshape(-1, 4)
            overlap = _overlap(found.boxes[i], places)
            if len(overlap) and overlap.max() > _SAME_PLACE:
                track = self._tracks[int(overlap.argmax())]
                if track.seen < self._now:
                    track.move(found, i, self._now)
            else:
                self._tracks.append(track := _Track(found.boxes[i], found.landmarks[i], 0.0, self._now))
                track.move(found, i, self._now)

    def _read(self, pixels: NDArray[np.uint8]) -> None:
        """Refresh the answers of the faces that have waited longest."""
        due = [t for t in self._tracks if t.seen == self._now and self._now - t.read >= self.read_every]
        due = sorted(due, key=lambda track: (track.read, track.box[0]))[: self.reads]  # new ones from left to right
        if not due:
            return
        crops = [crop_face(pixels, _landmarks(track), framing=self.analyzer.framing) for track in due]
        embeddings = self.analyzer.embed(np.stack(crops))
        logits = self.analyzer.logits(embeddings)
        for i, track in enumerate(due):
            person = self._person(track, embeddings[i])
            since = min(self._now - track.read, _LONGEST)
            smooth = person.logits({head: values[i : i + 1] for head, values in logits.items()}, since)
            answers = person.held(self.analyzer.decode(smooth))
            track.face = replace(face_of(_detections(track), 0, answers, 0), track=person.number)
            track.read = self._now

    def _person(self, track: _Track, embedding: NDArray[np.float32]) -> _Person:
        """Whose face this is: the track's own person, one seen before who is not in view, or somebody new."""
        own, in_view = track.person, {id(other.person) for other in self._tracks if other.seen == self._now}
        away = [person for person in self._people if id(person) not in in_view]
        known = max(away, key=lambda person: _cosine(embedding, person.embedding), default=None)
        if known is not None and _cosine(embedding, known.embedding) < _SAME_PERSON:
            known = None
        if own is not None:
            track.strikes = track.strikes + 1 if _cosine(embedding, own.embedding) < _OTHER_PERSON else 0
            mistaken = known is not None and known.number < own.number and self._now - own.since < _SETTLING
            if track.strikes < _STRIKES and not mistaken:
                own.embedding = own.embedding + 0.1 * (embedding - own.embedding)
                return own
            if mistaken:  # their number was still held by a track that had gone over to somebody else
                self._people = [person for person in self._people if person is not own]
        track.strikes, track.read = 0, -math.inf
        if known is None:
            tasks, calibration = self.analyzer.checkpoint.config.tasks, self.analyzer.checkpoint.config.calibration
            held = Held(calibration)
            known = _Person(next(self._numbers), SteadyLogits(tasks), held, embedding, self._now, self._now)
            self._people.append(known)
        else:  # who jumped is here, not where they fade
            self._tracks = [other for other in self._tracks if other is track or other.person is not known]
        track.person = known
        return known

    def _remember(self) -> None:
        for track in self._tracks:
            if track.person is not None:
                track.person.seen = track.seen
        recent = [person for person in self._people if self._now - person.seen <= _REMEMBERED]
        self._people = sorted(recent, key=lambda person: person.seen)[-_PEOPLE:]

    def _shown(self, track: _Track) -> Face | None:
        """The face as it is reported; none while nothing was read from it yet."""
        if track.face is None or track.shown is None:
            return None
        x1, y1, x2, y2 = track.shown[:4].tolist()
        gone = (self._now - track.seen) / self.fade if self.fade else 0.0
        presence = max(0.0, 1 - gone)
        return replace(
            track.face, box=(x1, y1, x2, y2), score=track.score, landmarks=_landmarks(track), presence=presence
        )


def _seconds(timestamp: float) -> float:
    try:
        seconds = float(timestamp)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if isinstance(timestamp, str) or not math.isfinite(seconds):
        raise VideoError(f"A timestamp of {reprlib.repr(timestamp)} is no time: give seconds, as a finite number.")
    return seconds


def _landmarks(track: _Track) -> NDArray[np.float32]:
    return track.landmarks if track.shown is None else track.shown[4:].reshape(5, 2)


def _detections(track: _Track) -> Detections:
    return Detections(track.box[None], np.array([track.score], np.float32), _landmarks(track)[None])


def _overlap(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of a box (4,) with boxes (N, 4): (N,)."""
    overlap: NDArray[np.float32] = box_iou(*(torch.from_numpy(part) for part in (box[None], boxes)))[0].numpy()
    return overlap


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(a @ b / max(1e-9, float(np.linalg.norm(a) * np.linalg.norm(b))))
