"""FaceAnalyzer: image to Report."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from facekit.align import FRAMINGS, Framing, crop_face, resize_crop
from facekit.answers import Answers, decode
from facekit.checkpoints import Checkpoint, read_checkpoint
from facekit.detect import Detections, Detector, load_detector
from facekit.device import usable_device
from facekit.errors import DamagedCheckpoint, ImageError
from facekit.face import Age, Expression, Face, Gender, Report
from facekit.freeze import freeze
from facekit.hub import Token, find_checkpoint
from facekit.images import read_image
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE, GENDERS
from facekit.nets.heads import HeadedNet
from facekit.shipped import CLASSIFIER

ImageSource = str | os.PathLike[str] | bytes | NDArray | Image.Image

_BATCH, _MAP_BYTES = 64, 2**29  # crops read at once, as long as no layer puts out more than that for all of them


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
        self.model: HeadedNet = checkpoint.model.to(self.device).to(memory_format=torch.channels_last)
        width, height = checkpoint.config.input_size
        self._embed = freeze(_Embedding(self.model).eval(), (2, 3, height, width), self.device)
        self._batch = max(1, min(_BATCH, _MAP_BYTES // max(1, 2 * checkpoint.map_bytes)))
        self._check_answers()

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        detector: str = "mtcnn",
        device: str | None = None,
        token: Token = None,
    ) -> FaceAnalyzer:
        """Load a checkpoint and a detector.

        Args:
            name: `None` for the shipped default, else a shipped name, a folder, or what `hub.parse_address`
                understands: `user/name`, `user/name@revision`, the link of a pull request.
            revision: branch, tag, commit or `refs/pr/N` of a Hub repository.
            detector: one of `facekit.detect.DETECTORS`.
            device: a torch device such as "cuda"; `None` is the CPU.
            token: for a repository that not everybody may read; the environment's where it is needed, if not said.

        Raises:
            UnknownName: no such detector, or no such device.
            CheckpointError: the checkpoint cannot be found, fetched or read.
        """
        found = load_detector(detector, device=usable_device(device))
        name = os.fspath(name) if name is not None else None
        folder = find_checkpoint(name, revision=revision, token=token)
        called = name or CLASSIFIER.default
        return cls(
            read_checkpoint(folder, called if revision is None else f"{called}@{revision}"), found, device=device
        )

    def __call__(self, image: ImageSource) -> Report:
        """Read every face of one picture.

        Args:
            image: a path, encoded bytes, an (H, W[, 1, 3 or 4]) array or a PIL image.

        Raises:
            ImageError: the picture cannot be used.
        """
        return self.batch([read_image(image)])[0]

    def batch(self, images: Iterable[ImageSource]) -> list[Report]:
        """Read every face of several pictures; the crops of all pictures go through the network together.

        Raises:
            ImageError: a picture cannot be used, and which of them; or this is a single one.
        """
        if isinstance(images, str | bytes | os.PathLike | np.ndarray | Image.Image):
            raise ImageError("batch takes several pictures: put this one into a list, or call the analyzer itself.")
        found: list[tuple[tuple[int, int], Detections, float]] = []
        crops: list[NDArray[np.uint8]] = []
        for number, source in enumerate(images, 1):
            try:
                pixels = read_image(source)
            except ImageError as error:
                raise type(error)(f"Picture {number}: {error}") from None
            start = perf_counter()
            detections = self.detector(pixels)
            found.append((pixels.shape[:2], detections, 1000 * (perf_counter() - start)))
            crops += [crop_face(pixels, landmarks, framing=self.framing) for landmarks in detections.landmarks]
        start = perf_counter()
        answers = self.predict(np.stack(crops)) if crops else None
        reading = 1000 * (perf_counter() - start)
        reports, first = [], 0
        for (height, width), detections, milliseconds in found:
            count = len(detections)
            faces = [face_of(detections, i, answers, first + i) for i in range(count) if answers]
            faces.sort(key=lambda face: face.box[0] + face.box[2])
            share = reading * count / max(1, len(crops))
            timing = {"detect": milliseconds, "read": share}
            reports.append(Report(width, height, faces, self.checkpoint.name, self.detector.name, timing))
            first += count
        return reports

    @property
    def framing(self) -> Framing:
        """Which part of a photo the network sees."""
        return FRAMINGS[self.checkpoint.config.framing]

    def crop(self, image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
        """The (H, W, 3) crop of `face` that the network looked at; `image` is upright (H, W, 3) uint8 RGB."""
        return crop_face(image, face.landmarks, framing=self.framing)

    def predict(self, crops: NDArray[np.uint8]) -> Answers:
        """Answers for crops of the checkpoint's framing.

        Each crop is read twice, as it is and mirrored.

        Args:
            crops: (N, H, W, 3) uint8 RGB, N at least 1.
        """
        return self.answer(self.embed(crops))

    @torch.inference_mode()
    def embed(self, crops: NDArray[np.uint8], *, mirrored: bool = True) -> NDArray[np.float32]:
        """(N, D) embeddings, what the heads read their answers from.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the checkpoint's framing, N at least 1.
            mirrored: average over the crop and its mirror image, for twice the work.
        """
        parts = []
        for i in range(0, len(crops), self._batch):
            x = self.normalize(crops[i : i + self._batch])
            views = self._embed(torch.cat([x, x.flip(3)]) if mirrored else x)
            parts.append(views.view(-1, len(x), views.shape[1]).mean(0).float().cpu())
        embeddings: NDArray[np.float32] = torch.cat(parts).numpy()
        return embeddings

    def answer(self, embeddings: NDArray[np.float32]) -> Answers:
        """Answers for embeddings (N, D) of `embed`: the same as `predict` gives for the crops, as heads are linear."""
        return self.decode(self.logits(embeddings))

    @torch.inference_mode()
    def logits(self, embeddings: NDArray[np.float32]) -> dict[str, Tensor]:
        """Uncalibrated logits (N, size) by task for embeddings (N, D), on the CPU."""
        logits = self.model.answer(torch.from_numpy(embeddings).to(self.device))
        return {head: values.float().cpu() for head, values in logits.items()}

    def decode(self, logits: dict[str, Tensor]) -> Answers:
        """Calibrated answers for `logits`, (N, size) float32 on the CPU by task."""
        return decode(logits, self.checkpoint.config.tasks, self.checkpoint.config.calibration)

    def normalize(self, crops: NDArray[np.uint8]) -> Tensor:
        """(N, H, W, 3) uint8 crops to the network's input: (N, 3, H, W) float32 in [-1, 1] at its own size."""
        views = np.stack([resize_crop(crop, self.checkpoint.config.input_size) for crop in crops])
        x = torch.from_numpy(views).to(self.device).permute(0, 3, 1, 2).float()
        return (x / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    def _check_answers(self) -> None:
        """Finite weights may still be so large that the answers are not numbers.

        Raises:
            DamagedCheckpoint: they are not, for noise.
        """
        noise = np.random.default_rng(0).integers(256, size=(2, *self.framing.size[::-1], 3), dtype=np.uint8)
        logits = self.logits(self.embed(noise))
        if not all(bool(values.isfinite().all()) for values in logits.values()):
            raise DamagedCheckpoint(f"{self.checkpoint.name} answers with what is not a number: train it again.")


class _Embedding(nn.Module):
    """The part of a network below its heads."""

    def __init__(self, net: HeadedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, D)."""
        return self.net.embed(crops)


def face_of(detections: Detections, i: int, answers: Answers, row: int) -> Face:
    """Detection `i` of a picture and row `row` of the answers as a Face."""
    x1, y1, x2, y2 = detections.boxes[i].tolist()
    unsure: list[str] = []
    attributes: dict[str, float] = {}
    gender = age = expression = None
    if answers.attributes is not None and answers.unsure_attributes is not None:
        every = dict(zip(ATTRIBUTES, answers.attributes[row].tolist(), strict=True))
        attributes = {name: p for name, p in every.items() if not math.isnan(p)}
        unsure += [name for name, flag in zip(ATTRIBUTES, answers.unsure_attributes[row], strict=True) if flag]
    if GENDER_ATTRIBUTE in attributes:
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
