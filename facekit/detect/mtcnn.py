"""MTCNN (Zhang et al., 2016): facenet-pytorch's three networks and weights under a cascade of our own.

facenet-pytorch's cascade resizes the full image once a scale, cuts candidates out one by one, and takes as many as the
first network proposes (600 ms on textures). Here every pyramid level is made from the one above it, candidates are cut out
in one call, and their number is bounded.
"""

import math

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.ops import nms, roi_align

from facekit.detect.base import Detections

_CELL, _STRIDE = 12, 2  # PNet looks at 12x12 windows, two pixels apart
_MAX_CANDIDATES = (600, 120)  # for RNet, for ONet: crowds of a hundred faces stay under both


class MTCNNDetector:
    """Boxes, scores and five landmarks.

    Args:
        min_face_size: the smallest face side found, in pixels. Above `max_pixels` it grows with the image, so that time
            stays bounded: a 12-megapixel photo is searched for faces from 57 px.
        thresholds: of PNet, RNet and ONet, in [0, 1].
        factor: between two levels of the image pyramid, in (0, 1).
        device: a torch device; `None` is the CPU.
    """

    name = "mtcnn"

    def __init__(
        self,
        *,
        min_face_size: int = 24,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        max_pixels: int = 2_100_000,
        device: str | None = None,
    ) -> None:
        self.min_face_size, self.thresholds, self.factor, self.max_pixels = min_face_size, thresholds, factor, max_pixels
        self.device = torch.device(device or "cpu")
        self.pnet, self.rnet, self.onet = (net().eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last) for net in (PNet, RNet, ONet))

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        """Faces of an (H, W, 3) uint8 RGB image."""
        height, width = image.shape[:2]
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self.device).permute(2, 0, 1)[None]  # (1, 3, H, W)
        pixels = ((pixels.float() - 127.5) / 128).contiguous(memory_format=torch.channels_last)
        min_face = self.min_face_size * math.sqrt(max(1.0, height * width / self.max_pixels))

        boxes = self._propose(pixels, min_face)
        boxes = self._refine(pixels, boxes)
        boxes, scores, landmarks = self._output(pixels, boxes)
        order = scores.argsort(descending=True)
        return Detections(*(part[order].cpu().numpy().astype(np.float32) for part in (boxes, scores, landmarks)))

    def _propose(self, pixels: Tensor, min_face: float) -> Tensor:
        """PNet over an image pyramid: candidate squares (M, 4), best first."""
        height, width = pixels.shape[2:]
        scale, level = _CELL / min_face, pixels
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        while min(height, width) * scale >= _CELL:
            size = (int(height * scale + 1), int(width * scale + 1))
            level = interpolate(level, size=size, mode="area")
            regression, probability = self.pnet(level)
            score = probability[0, 1]
            y, x = torch.where(score >= self.thresholds[0])
            corner = torch.stack([x, y], 1) * _STRIDE  # (M, 2)
            window = torch.cat([corner + 1, corner + _CELL], 1).float() / scale
            kept = nms(window, score[y, x], 0.5)[: _MAX_CANDIDATES[0]]
            found.append((window[kept], score[y, x][kept], regression[0, :, y, x].T[kept]))
            scale *= self.factor
        if not found:
            return pixels.new_zeros((0, 4))
        windows, scores, offsets = (torch.cat(parts) for parts in zip(*found, strict=True))
        kept = nms(windows, scores, 0.7)[: _MAX_CANDIDATES[0]]
        return _square(_shift(windows[kept], offsets[kept]))

    def _refine(self, pixels: Tensor, boxes: Tensor) -> Tensor:
        """RNet: fewer and better squares (M, 4), best first."""
        if not len(boxes):
            return boxes
        offsets, probability = self.rnet(_cut(pixels, boxes, 24))
        passed = probability[:, 1] > self.thresholds[1]
        boxes, scores, offsets = boxes[passed], probability[passed, 1], offsets[passed]
        kept = nms(boxes, scores, 0.7)[: _MAX_CANDIDATES[1]]
        return _square(_shift(boxes[kept], offsets[kept]))

    def _output(self, pixels: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ONet: final boxes (N, 4), scores (N,), landmarks (N, 5, 2)."""
        if not len(boxes):
            return boxes, boxes.new_zeros(0), boxes.new_zeros((0, 5, 2))
        offsets, points, probability = self.onet(_cut(pixels, boxes, 48))
        passed = probability[:, 1] > self.thresholds[2]
        boxes, scores, offsets, points = boxes[passed], probability[passed, 1], offsets[passed], points[passed]
        size = (boxes[:, 2:] - boxes[:, :2])[:, None]  # (N, 1, 2)
        landmarks = boxes[:, None, :2] + size * torch.stack([points[:, :5], points[:, 5:]], 2)
        boxes = _shift(boxes, offsets)
        kept = _nms_min(boxes, scores, 0.7)
        return boxes[kept], scores[kept], landmarks[kept]


def _cut(pixels: Tensor, boxes: Tensor, size: int) -> Tensor:
    """(N, 3, size, size) area-averaged crops; grey where a box reaches over the border."""
    crops = roi_align(pixels, [boxes], (size, size), sampling_ratio=2, aligned=True)
    return crops.contiguous(memory_format=torch.channels_last)


def _shift(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Boxes moved by offsets that are relative to their own width and height."""
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
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
