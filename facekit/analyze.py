"""FaceAnalyzer: image to Report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from facekit.align import crop_face, resize_crop
from facekit.checkpoints import Checkpoint, read_checkpoint
from facekit.detect import Detections, Detector, load_detector
from facekit.face import Age, Expression, Face, Gender, Report
from facekit.hub import DEFAULT, find_checkpoint
from facekit.images import read_image
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE, GENDERS, MAX_AGE

ImageSource = str | os.PathLike[str] | bytes | NDArray | Image.Image

_BATCH = 64  # crops read at once
_MALE = ATTRIBUTES.index(GENDER_ATTRIBUTE)
_INTERVAL = (0.1, 0.9)  # quantiles of the 80 % interval


@dataclass(frozen=True, eq=False)
class Answers:
    """Calibrated answers for N crops; `None` where the checkpoint has no such head.

    Attributes:
        attributes: (N, 40) float32 probabilities, in the order of `labels.ATTRIBUTES`.
        unsure_attributes: (N, 40) bool, inside the unsure band.
        gender: (N,) float32, probability that the face is perceived as a man's.
        age: (N, 101) float32, distribution over the years 0 to 100.
        years, low, high: (N,) float32, expected age and the ends of its 80 % interval.
        expression: (N, 7) float32 probabilities, in the order of `labels.EXPRESSIONS`.
        unsure_expression: (N,) bool.
    """

    attributes: NDArray[np.float32] | None
    unsure_attributes: NDArray[np.bool_] | None
    gender: NDArray[np.float32] | None
    age: NDArray[np.float32] | None
    years: NDArray[np.float32] | None
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None
    expression: NDArray[np.float32] | None
    unsure_expression: NDArray[np.bool_] | None


class FaceAnalyzer:
    """Finds the faces of a picture and reads age, perceived gender, expression and 40 attributes from each.

    Example:
        >>> analyzer = FaceAnalyzer.from_pretrained()
        >>> for face in analyzer("photo.jpg").faces:
        ...     print(face.box, face.age, face.attributes["Smiling"])

    Safe to call from several threads. Nothing of an image is kept.
    """

    def __init__(self, checkpoint: Checkpoint, detector: Detector, *, device: str | None = None) -> None:
        self.checkpoint, self.detector = checkpoint, detector
        self.device = torch.device(device or "cpu")
        self.model = checkpoint.model.to(self.device).to(memory_format=torch.channels_last)
        self._frozen = _freeze(self.model, checkpoint.config.input_size, self.device)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        detector: str = "mtcnn",
        device: str | None = None,
    ) -> FaceAnalyzer:
        """Load a checkpoint and a detector.

        Args:
            name: `None` for the shipped default, else a shipped name, a folder, or a Hub repository `user/name`.
            revision: branch, tag or commit of a Hub repository.
            detector: one of `facekit.detect.DETECTORS`.
            device: a torch device such as "cuda"; `None` is the CPU.

        Raises:
            UnknownName: no such detector.
            CheckpointError: the checkpoint cannot be found, fetched or read.
        """
        found = load_detector(detector, device=device)
        name = os.fspath(name) if name is not None else None
        return cls(read_checkpoint(find_checkpoint(name, revision=revision), name or DEFAULT), found, device=device)

    def __call__(self, image: ImageSource) -> Report:
        """Read every face of one picture.

        Args:
            image: a path, encoded bytes, an (H, W[, 1, 3 or 4]) array or a PIL image.

        Raises:
            ImageError: the picture cannot be used.
        """
        return self.batch([image])[0]

    def batch(self, images: Iterable[ImageSource]) -> list[Report]:
        """Read every face of several pictures; the crops of all pictures go through the network together.

        Raises:
            ImageError: a picture cannot be used.
        """
        found: list[tuple[tuple[int, int], Detections, float]] = []
        crops: list[NDArray[np.uint8]] = []
        for source in images:
            pixels = read_image(source)
            start = perf_counter()
            detections = self.detector(pixels)
            found.append((pixels.shape[:2], detections, 1000 * (perf_counter() - start)))
            crops += [crop_face(pixels, landmarks) for landmarks in detections.landmarks]
        start = perf_counter()
        answers = self.predict(np.stack(crops)) if crops else None
        read = 1000 * (perf_counter() - start)
        reports, first = [], 0
        for (height, width), detections, milliseconds in found:
            count = len(detections)
            faces = [_face(detections, i, answers, first + i) for i in range(count) if answers]
            faces.sort(key=lambda face: face.box[0] + face.box[2])
            share = read * count / max(1, len(crops))
            timing = {"detect": milliseconds, "read": share}
            reports.append(Report(width, height, faces, self.checkpoint.name, self.detector.name, timing))
            first += count
        return reports

    @staticmethod
    def crop(image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
        """The (128, 112, 3) crop of `face` that the network looked at; `image` is upright (H, W, 3) uint8 RGB."""
        return crop_face(image, face.landmarks)

    @torch.inference_mode()
    def predict(self, crops: NDArray[np.uint8]) -> Answers:
        """Answers for canonical crops.

        Each crop is read twice, as it is and mirrored, and the logits are averaged.

        Args:
            crops: (N, 128, 112, 3) uint8 RGB, N at least 1.
        """
        parts = [self.logits(crops[i : i + _BATCH]) for i in range(0, len(crops), _BATCH)]
        return self._answers({task: torch.cat([part[task] for part in parts]).float().cpu() for task in parts[0]})

    def logits(self, crops: NDArray[np.uint8]) -> dict[str, Tensor]:
        """Uncalibrated logits (N, size) by task, averaged over the crop and its mirror image."""
        x = self.normalize(crops)
        pairs = self._frozen(torch.cat([x, x.flip(3)]))
        return {task: values.view(2, len(x), -1).mean(0) for task, values in pairs.items()}

    def normalize(self, crops: NDArray[np.uint8]) -> Tensor:
        """(N, 128, 112, 3) uint8 crops to the network's input: (N, 3, H, W) float32 in [-1, 1] at its own size."""
        views = np.stack([resize_crop(crop, self.checkpoint.config.input_size) for crop in crops])
        x = torch.from_numpy(views).to(self.device).permute(0, 3, 1, 2).float()
        return (x / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    def _answers(self, logits: dict[str, Tensor]) -> Answers:
        """Calibrate logits (N, size) by task."""
        calibration = self.checkpoint.config.calibration
        attributes = unsure = age = years = low = high = expression = unsure_expression = None
        if "attributes" in logits:
            scale, shift = torch.tensor(calibration.attribute_scale), torch.tensor(calibration.attribute_shift)
            attributes = torch.sigmoid(logits["attributes"] * scale + shift).numpy()
            unsure = np.maximum(attributes, 1 - attributes) < np.array(calibration.unsure_below)
        if "age" in logits:
            age = torch.softmax(logits["age"] / calibration.age_temperature, 1).numpy()
            years = (age @ np.arange(MAX_AGE + 1)).astype(np.float32)
            low, high = (quantile(age, q) for q in _INTERVAL)
        if "expression" in logits:
            expression = torch.softmax(logits["expression"] / calibration.expression_temperature, 1).numpy()
            unsure_expression = expression.max(1) < calibration.expression_unsure_below
        gender = attributes[:, _MALE] if attributes is not None else None
        return Answers(attributes, unsure, gender, age, years, low, high, expression, unsure_expression)


def _freeze(model: nn.Module, size: tuple[int, int], device: torch.device) -> nn.Module:
    """The same network as one graph with its batch norms folded in: half the time for one face on a CPU."""
    example = torch.zeros((2, 3, size[1], size[0]), device=device).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what replaces it needs a C++ compiler on the user's machine
        return torch.jit.freeze(torch.jit.trace(model, example, strict=False))


def quantile(distribution: NDArray[np.float32], q: float) -> NDArray[np.float32]:
    """(N, 101) distributions over whole years to the (N,) ages below which a share `q` lies, linear inside a year."""
    cumulative = distribution.cumsum(1)
    year = (cumulative < q).sum(1).clip(0, MAX_AGE)
    rows = np.arange(len(year))
    before = cumulative[rows, year] - distribution[rows, year]
    inside = (q - before) / np.maximum(distribution[rows, year], 1e-9)
    return np.clip(year - 0.5 + inside, 0, MAX_AGE).astype(np.float32)


def _face(detections: Detections, i: int, answers: Answers, row: int) -> Face:
    """Detection `i` of a picture and row `row` of the answers as a Face."""
    x1, y1, x2, y2 = detections.boxes[i].tolist()
    unsure: list[str] = []
    attributes: dict[str, float] = {}
    gender = age = expression = None
    if answers.attributes is not None and answers.unsure_attributes is not None:
        attributes = dict(zip(ATTRIBUTES, answers.attributes[row].tolist(), strict=True))
        unsure += [name for name, flag in zip(ATTRIBUTES, answers.unsure_attributes[row], strict=True) if flag]
        man = attributes[GENDER_ATTRIBUTE]
        gender = Gender(GENDERS[man >= 0.5], max(man, 1 - man))
        unsure += ["gender"] * (GENDER_ATTRIBUTE in unsure)
    if answers.years is not None and answers.low is not None and answers.high is not None:
        age = Age(*(float(part[row]) for part in (answers.years, answers.low, answers.high)))
    if answers.expression is not None and answers.unsure_expression is not None:
        shares = dict(zip(EXPRESSIONS, answers.expression[row].tolist(), strict=True))
        expression = Expression(max(shares, key=shares.__getitem__), shares)
        unsure += ["expression"] * bool(answers.unsure_expression[row])
    return Face(
        (x1, y1, x2, y2),
        float(detections.scores[i]),
        detections.landmarks[i],
        detections.landmarks_estimated,
        attributes,
        gender,
        age,
        expression,
        tuple(unsure),
    )
