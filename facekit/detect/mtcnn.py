"""MTCNN (Zhang et al., 2016): facenet-pytorch's three networks and weights under a cascade of our own.

facenet-pytorch's cascade resizes the full image once a scale, cuts candidates out one by one, and takes as many as the
first network proposes (600 ms on textures). Here every pyramid level is made from the one above it, pictures and
candidates stay bytes until a network sees them, and the number of candidates is bounded.
"""

import math

import cv2
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms

from facekit.detect.base import Detections

_CELL, _STRIDE = 12, 2  # PNet looks at 12x12 windows, two pixels apart
_MAX_CANDIDATES = (600, 120)  # for RNet, for ONet: they bound the time that a texture can cost
_GREY = 128  # beyond the border


class MTCNNDetector:
    """Boxes, scores and five landmarks.

    Args:
        min_face_size: the smallest face side found, in pixels. Above `max_pixels` it grows with the image, so that time
            stays bounded: a 12-megapixel photo is searched for faces from 57 px.
        thresholds: of PNet, RNet and ONet, in [0, 1].
        factor: between two levels of the image pyramid, in (0, 1); on ten photos 0.6 finds the same 42 of
            43 faces as the usual 0.709, in about half the time.
        device: a torch device; `None` is the CPU.
    """

    name = "mtcnn"

    def __init__(
        self,
        *,
        min_face_size: int = 24,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.85),
        factor: float = 0.6,
        max_pixels: int = 2_100_000,
        device: str | None = None,
    ) -> None:
        self.min_face_size, self.max_pixels = min_face_size, max_pixels
        self.thresholds, self.factor = thresholds, factor
        self.device = torch.device(device or "cpu")
        nets = (net().eval().requires_grad_(False).to(self.device) for net in (PNet, RNet, ONet))
        self.pnet, self.rnet, self.onet = nets

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        """Faces of an (H, W, 3) uint8 RGB image."""
        height, width = image.shape[:2]
        image = np.ascontiguousarray(image)
        min_face = self.min_face_size * math.sqrt(max(1.0, height * width / self.max_pixels))
        boxes = self._propose(image, min_face)
        boxes = self._refine(image, boxes)
        boxes, scores, landmarks = self._output(image, boxes)
        order = scores.argsort(descending=True)
        found = [part[order].float().cpu().numpy() for part in (boxes, scores, landmarks)]
        return Detections(found[0], found[1], found[2])

    def _propose(self, image: NDArray[np.uint8], min_face: float) -> Tensor:
        """PNet over an image pyramid: candidate squares (M, 4), best first."""
        height, width = image.shape[:2]
        scale, level = _CELL / min_face, image
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        while min(height, width) * scale >= _CELL:
            size = (int(width * scale + 1), int(height * scale + 1))
            level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            regression, probability = self.pnet(self._tensor(level[None]))
            score = probability[0, 1]
            y, x = torch.where(score >= self.thresholds[0])
            corner = torch.stack([x, y], 1) * _STRIDE  # (M, 2)
            window = (torch.cat([corner + 1, corner + _CELL], 1) / scale).floor()
            kept = nms(window, score[y, x], 0.5)[: _MAX_CANDIDATES[0]]
            found.append((window[kept], score[y, x][kept], regression[0, :, y, x].T[kept]))
            scale *= self.factor
        if not found:
            return torch.zeros((0, 4), device=self.device)
        windows, scores, offsets = (torch.cat(parts) for parts in zip(*found, strict=True))
        kept = nms(windows, scores, 0.7)[: _MAX_CANDIDATES[0]]
        return _square(_shift(windows[kept], offsets[kept], 0))

    def _refine(self, image: NDArray[np.uint8], boxes: Tensor) -> Tensor:
        """RNet: fewer and better squares (M, 4), best first."""
        if not len(boxes):
            return boxes
        offsets, probability = self.rnet(self._tensor(_cut(image, boxes, 24)))
        passed = probability[:, 1] > self.thresholds[1]
        boxes, scores, offsets = boxes[passed], probability[passed, 1], offsets[passed]
        kept = nms(boxes, scores, 0.7)[: _MAX_CANDIDATES[1]]
        return _square(_shift(boxes[kept], offsets[kept]))

    def _output(self, image: NDArray[np.uint8], boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ONet: final boxes (N, 4), scores (N,), landmarks (N, 5, 2)."""
        if not len(boxes):
            return boxes, boxes.new_zeros(0), boxes.new_zeros((0, 5, 2))
        offsets, points, probability = self.onet(self._tensor(_cut(image, boxes, 48)))
        passed = probability[:, 1] > self.thresholds[2]
        boxes, scores, offsets, points = boxes[passed], probability[passed, 1], offsets[passed], points[passed]
        size = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]  # (N, 1, 2)
        landmarks = boxes[:, None, :2] - 1 + size * torch.stack([points[:, :5], points[:, 5:]], 2)
        boxes = _shift(boxes, offsets)
        kept = _nms_min(boxes, scores, 0.7)
        return boxes[kept], scores[kept], landmarks[kept]

    def _tensor(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [-1, 1]."""
        return (torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() - 127.5) / 128


def _cut(image: NDArray[np.uint8], boxes: Tensor, size: int) -> NDArray[np.uint8]:
    """(N, size, size, 3) area-averaged crops; grey where they reach over the border.

    Boxes count pixels from 1 and include both ends, as the networks were trained.
    """
    height, width = image.shape[:2]
    crops = np.empty((len(boxes), size, size, 3), np.uint8)
    for crop, (x1, y1, x2, y2) in zip(crops, boxes.int().tolist(), strict=True):
        x1, y1 = x1 - 1, y1 - 1
        part = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
        if not part.size:
            crop[:] = _GREY
            continue
        over = max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0)
        if any(over):
            part = cv2.copyMakeBorder(part, *over, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)  # type: ignore[assignment]
        cv2.resize(part, (size, size), dst=crop, interpolation=cv2.INTER_AREA)
    return crops


def _shift(boxes: Tensor, offsets: Tensor, inclusive: int = 1) -> Tensor:
    """Boxes moved by offsets relative to their width and height; `inclusive` is 1 where boxes hold both their ends."""
    size = (boxes[:, 2:] - boxes[:, :2] + inclusive).repeat(1, 2)
    return boxes + offsets * size


def _square(boxes: Tensor) -> Tensor:
    """The square about each box's centre with the box's longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def _nms_min(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression by intersection over the *smaller* area, so that a box inside another goes."""
    kept: list[int] = []
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)
    for i in scores.argsort(descending=True).tolist():
        if kept:
            low = torch.maximum(boxes[i, :2], boxes[kept, :2])
            high = torch.minimum(boxes[i, 2:], boxes[kept, 2:])
            overlap = (high - low).clamp(min=0).prod(1) / torch.minimum(area[i], area[kept])
            if bool((overlap > threshold).any()):
                continue
        kept.append(i)
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)
