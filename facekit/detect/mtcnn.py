"""MTCNN (Zhang et al., 2016): facenet-pytorch's three networks and weights under a cascade of our own.

It finds what facenet-pytorch's `MTCNN.detect` finds. That one resizes the full image and runs the first network once a
scale, cuts candidates out one by one, and takes as many as that network proposes (600 ms on textures). Here everything
is averaged from one table of sums, the pyramid is one picture, and candidates are few: their number is bounded, and
where there are many, what few windows take for a face is none.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, prelu
from torchvision.ops import batched_nms, box_area, nms

from facekit.detect.base import Detections
from facekit.detect.summed_area import GREY, MAX_PIXELS, SummedArea
from facekit.device import multiplies_bfloat16
from facekit.freeze import freeze

_CELL, _STRIDE = 12, 2  # PNet looks at 12x12 windows, two pixels apart
_BOUNDS = (4000, 600, 120)  # windows of PNet that compete, candidates for RNet and for ONet, at 640x480 pixels
_NEIGHBOUR = 0.3  # intersection over union of two windows that may see the same face
_SUPPORT = torch.tensor([5.0, 7.0, 10.0])  # least sum of neighbours' logits; in the two finest levels they are fewer
_ALWAYS = 16  # candidates that go on without: a blurred or tightly cut face may have no others
_PNET = 12  # channels after PNet's first part
_ROUGH_LAYERS = ("conv2.weight", "conv2.bias", "conv3.weight", "conv3.bias", "conv4.weight", "conv4.bias")
_ROUGH_SLOPES = ("prelu2.weight", "prelu3.weight")
_ROUGH, _WORTH_A_LOOK = 0.5, 16_000  # more than a logit in bfloat16 is off by; cells from which it saves time
_FOLLOWING, _NEAR = 2, 0.12  # looks at a face that moves, and by how much of its width it must have for the second
_BEYOND = 0.1  # share of a candidate that may be cut off by the border
_FIRST_PIXEL = torch.tensor([1, 1, 0, 0])  # the networks count from 1, ends included
_CHUNK = 160 * 24**2  # pixels of candidates at once: fewer and more were timed slower


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
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.85),
        factor: float = 0.709,
        max_pixels: int = 2_100_000,
        device: str | None = None,
    ) -> None:
        self.min_face_size, self.max_pixels = min_face_size, max_pixels
        self.thresholds, self.factor = thresholds, factor
        self.device = torch.device(device or "cpu")
        self._pnet, self._least = _Proposals(), float(torch.tensor(thresholds[0]).logit())
        self._ready(self._pnet)  # frozen it would be slower
        rnet, onet = (self._ready(net()) for net in (RNet, ONet))
        self._rnet, self._onet = (freeze(net, (16, 3, n, n), self.device) for net, n in ((rnet, 24), (onet, 48)))

    def __call__(self, image: NDArray[np.uint8], *, min_face_size: int | None = None) -> Detections:
        """Faces of an (H, W, 3) uint8 RGB image; `min_face_size` in place of the detector's own."""
        height, width = image.shape[:2]
        min_face = (min_face_size or self.min_face_size) * math.sqrt(max(1.0, height * width / self.max_pixels))
        shrink = math.sqrt(max(1.0, height * width / MAX_PIXELS))
        if shrink > 1:  # no more pixels than ONet can see
            size = (max(1, int(width / shrink)), max(1, int(height / shrink)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        area = SummedArea(image)
        with torch.inference_mode():
            boxes, scores, landmarks = self._output(area, self._refine(area, self._propose(area, min_face / shrink)))
        scale = torch.tensor([width / area.width, height / area.height])
        found = [part.numpy() for part in (boxes * scale.repeat(2), scores, landmarks * scale)]
        return Detections(found[0], found[1], found[2])

    @torch.inference_mode()
    def follow(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Detections:
        """Where the faces are now that were in boxes (N, 4) a moment ago, in their order: ONet alone, which is quick.

        A box may be off by a third of its width. The score of a face that is not there any more is low.

        Args:
            image: (H, W, 3) uint8 RGB of at most `summed_area.MAX_PIXELS` pixels.
        """
        if not len(boxes):
            return Detections.none()
        area, now = SummedArea(image), torch.from_numpy(boxes)
        for _ in range(_FOLLOWING):
            before = now
            now, scores, landmarks = self._look(area, _square(before))
            if not bool(((now - before).abs().amax(1) > _NEAR * (before[:, 2] - before[:, 0])).any()):
                break
        return Detections(now.numpy(), scores.numpy(), landmarks.numpy())

    def _propose(self, area: SummedArea, min_face: float) -> Tensor:
        """PNet over an image pyramid: candidate squares (M, 4), best first."""
        scale = _CELL / min_face
        if min(area.width, area.height) * scale < _CELL:
            return torch.zeros((0, 4))
        levels = _pyramid(area.width, area.height, scale, self.factor)
        picture = torch.empty((*levels.size, 3))
        for left, top, width, height in levels.gaps:
            picture[top : top + height, left : left + width] = GREY
        for left, top, width, height in levels.places:
            area.resize(picture[top : top + height, left : left + width].numpy())
        answers = self._first(picture)  # (5, h, w)
        y, x = torch.where((answers[0] >= self._least) & (levels.cells >= 0))
        order = levels.cells[y, x].argsort(stable=True)  # where scores are equal, the finer level wins
        order = order[answers[0, y, x][order].sigmoid().argsort(descending=True, stable=True)][: _bound(0, area)]
        y, x = y[order], x[order]
        logits, level = answers[0, y, x], levels.cells[y, x].long()
        scores = logits.sigmoid()
        corner = torch.stack([x, y], 1) * _STRIDE - levels.corners[level]
        windows = (torch.cat([corner + 1, corner + _CELL], 1) / levels.scales[level, None]).floor()
        kept = batched_nms(windows, scores, level, 0.5)
        kept = kept[nms(windows[kept], scores[kept], 0.7)][: _bound(1, area)]
        boxes = _square(_shift(windows[kept], answers[1:, y[kept], x[kept]].T, 0))
        support = _support(kept, windows, logits)
        passed = support > _SUPPORT[level[kept].clamp(max=len(_SUPPORT) - 1)]
        passed[support.topk(min(_ALWAYS, len(kept))).indices] = True
        passed |= (boxes < 1).any(1) | (boxes[:, 2:] > boxes.new_tensor([area.width, area.height])).any(1)  # cut off
        return boxes[passed]

    def _first(self, picture: Tensor) -> Tensor:
        """PNet on a picture (H, W, 3), sides even, to face logits and box offsets (5, H / 2 - 5, W / 2 - 5).

        Where a logit is below that of the threshold it may be minus infinity instead.
        """
        height, width = (side // _STRIDE - 1 for side in picture.shape[:2])
        pixels = self._input(picture[None])
        pooled = pixels.new_empty((1, height, width, _PNET)).permute(0, 3, 1, 2)
        for rows in _strips(height, 48):
            self._pnet.pool(pixels[:, :, rows.start * _STRIDE : (rows.stop + 1) * _STRIDE], pooled[:, :, rows])
        answers = torch.empty((5, height - 4, width - 4))
        for rows in _strips(height - 4, 128):
            answers[:, rows] = self._pnet(pooled[:, :, rows.start : rows.stop + 4], self._least)[0]
        return answers

    def _refine(self, area: SummedArea, boxes: Tensor) -> Tensor:
        """RNet: fewer and better squares (M, 4), best first."""
        if not len(boxes):
            return boxes
        offsets, probability = self._answers(self._rnet, area, _pixels(boxes), 24)
        passed = probability[:, 1] > self.thresholds[1]
        boxes, scores, offsets = boxes[passed], probability[passed, 1], offsets[passed]
        kept = nms(boxes, scores, 0.7)[: _bound(2, area)]
        return _square(_shift(boxes[kept], offsets[kept]))

    def _output(self, area: SummedArea, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ONet: final boxes (N, 4), scores (N,), landmarks (N, 5, 2), best first."""
        if not len(boxes):
            return boxes, boxes.new_zeros(0), boxes.new_zeros((0, 5, 2))
        boxes, scores, landmarks = self._look(area, boxes)
        passed = torch.where(scores > self.thresholds[2])[0]
        kept = passed[_nms_min(boxes[passed], scores[passed], 0.7)]
        return boxes[kept], scores[kept], landmarks[kept]

    def _look(self, area: SummedArea, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ONet on squares (N, 4): the boxes (N, 4), scores (N,) and landmarks (N, 5, 2) that it sees there."""
        offsets, points, probability = self._answers(self._onet, area, _within(area, _pixels(boxes)), 48)
        size = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]  # (N, 1, 2)
        landmarks = boxes[:, None, :2] - 1 + size * torch.stack([points[:, :5], points[:, 5:]], 2)
        return _shift(boxes, offsets), probability[:, 1], landmarks

    def _answers(self, net: nn.Module, area: SummedArea, pixels: Tensor, side: int) -> tuple[Tensor, ...]:
        """What `net` says of parts of a picture (N, 4), N at least 1: one tensor (N, ...) an output."""
        parts = [net(self._input(area.crops(some, side))) for some in pixels.split(_CHUNK // side**2)]
        return tuple(torch.cat(part).cpu() for part in zip(*parts, strict=True))

    def _ready(self, net: nn.Module) -> nn.Module:
        """The network for evaluation, its first convolution taking values in [0, 255] in place of [-1, 1]."""
        state = net.requires_grad_(False).state_dict()
        state["conv1.bias"] -= state["conv1.weight"].sum((1, 2, 3)) * (127.5 / 128)
        state["conv1.weight"] /= 128
        return net.eval().to(self.device).to(memory_format=torch.channels_last)

    def _input(self, pixels: Tensor) -> Tensor:
        """(N, H, W, 3) to (N, 3, H, W), channels last."""
        return pixels.permute(0, 3, 1, 2).to(self.device)


class _Proposals(nn.Module):
    """PNet in two parts, with one logit in place of two probabilities, two empty channels to fill a vector, and a
    leaner pooling. The second part looks in bfloat16 first where that is quicker, and answers in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, _PNET, 3), nn.PReLU(_PNET)
        self.conv2, self.prelu2 = nn.Conv2d(_PNET, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4 = nn.Conv2d(32, 5, 1)
        state = PNet().state_dict()
        for part in ("weight", "bias"):
            other, face = state[f"conv4_1.{part}"]
            state[f"conv4.{part}"] = torch.cat([(face - other)[None], state[f"conv4_2.{part}"]])
        for key, values in self.state_dict().items():
            values.zero_()[tuple(slice(size) for size in state[key].shape)] = state[key]
        state = self.state_dict()
        logit = state | {key: state[key][:1] for key in ("conv4.weight", "conv4.bias")}  # without the offsets
        rough = [logit[key].bfloat16() for key in _ROUGH_LAYERS + _ROUGH_SLOPES]
        self._half = rough if multiplies_bfloat16() else None
        windows = torch.eye(25 * _PNET).view(-1, 5, 5, _PNET).permute(0, 3, 1, 2)
        first = conv2d(windows, state["conv2.weight"])  # (300, 16, 3, 3)
        self._matrices = [  # kernel, bias and slopes of every layer, for windows that are looked at one by one
            (first.permute(0, 2, 3, 1).flatten(1).T, state["conv2.bias"].repeat(9), state["prelu2.weight"].repeat(9)),
            (state["conv3.weight"].permute(0, 2, 3, 1).flatten(1), state["conv3.bias"], state["prelu3.weight"]),
            (state["conv4.weight"].flatten(1), state["conv4.bias"], torch.ones(1)),
        ]

    def pool(self, x: Tensor, into: Tensor) -> None:
        """The first part: (1, 3, H, W), sides even, to (1, 12, H / 2 - 1, W / 2 - 1)."""
        x = self.prelu1(self.conv1(x))
        x = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
        torch.maximum(x[..., ::2], x[..., 1::2], out=into)

    def forward(self, x: Tensor, least: float) -> Tensor:
        """The second part: (1, 12, H, W) to face logits and box offsets (1, 5, H - 4, W - 4).

        Where a logit is below `least` it may be minus infinity instead, and the offsets 0.
        """
        if self._half is None or x.device.type != "cpu" or x[0, 0].numel() < _WORTH_A_LOOK:
            return self._answers(x)
        rough = self._rough(x, self._half)
        rows, columns = torch.where(rough > least - _ROUGH)
        if len(rows) > rough.numel() / 8:
            return self._answers(x)
        answers = x.new_zeros((1, 5, *rough.shape))
        answers[:, 0] = -math.inf
        if len(rows):
            seen = x[0].unfold(1, 5, 1).unfold(2, 5, 1)[:, rows, columns].permute(1, 2, 3, 0).flatten(1)  # (N, 300)
            for kernel, bias, slope in self._matrices:
                seen = prelu(linear(seen, kernel, bias), slope)
            answers[0, :, rows, columns] = seen.T
        return answers

    def _answers(self, x: Tensor) -> Tensor:
        """(B, 12, H, W) to (B, 5, H - 4, W - 4)."""
        return self.conv4(self.prelu3(self.conv3(self.prelu2(self.conv2(x)))))  # type: ignore[no-any-return]

    @staticmethod
    def _rough(x: Tensor, half: list[Tensor]) -> Tensor:
        """(1, 12, H, W) to logits (H - 4, W - 4), in bfloat16."""
        kernel2, bias2, kernel3, bias3, kernel4, bias4, slope2, slope3 = half
        x = _prelu(conv2d(x.bfloat16(), kernel2, bias2), slope2)
        x = _prelu(conv2d(x, kernel3, bias3), slope3)
        return conv2d(x, kernel4, bias4)[0, 0]


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    """PReLU of (1, C, H, W), channels last, with slopes (C,): row by row, for PyTorch's is slow for 16 of bfloat16."""
    _, count, height, width = x.shape
    rows = prelu(x.permute(0, 2, 3, 1).reshape(height, width * count), slope.repeat(width))
    return rows.view(1, height, width, count).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class _Pyramid:
    """Where the L levels of an image pyramid lie in one picture, PNet's input.

    Attributes:
        size: height and width of the picture.
        places: x, y, width and height of every level.
        gaps: of the rectangles between them.
        scales: (L,) of every level relative to the image.
        corners: (L, 2) x and y of every level's corner.
        cells: which level a cell of PNet's output belongs to, -1 for none: (h, w) int8.
    """

    size: tuple[int, int]
    places: list[tuple[int, int, int, int]]
    gaps: list[tuple[int, int, int, int]]
    scales: Tensor
    corners: Tensor
    cells: Tensor


@lru_cache(maxsize=16)
def _pyramid(width: int, height: int, scale: float, factor: float) -> _Pyramid:
    """The levels from `scale` until the image is as small as a cell, one at least, each in the first free place."""
    scales: list[float] = []
    places: list[tuple[int, int, int, int]] = []
    free = [
        (0, 0, math.inf, _even(int(height * scale) + 2))
    ]  # x, y, width and height of rectangles, the unbounded one last
    while min(width, height) * scale >= _CELL:
        w, h = int(width * scale + 1), int(height * scale + 1)
        x, y, room, depth = place = next(place for place in free if w <= place[2] and h <= place[3])
        w2, h2 = _even(w), _even(h)  # the next level starts on PNet's stride
        i = free.index(place)
        free[i : i + 1] = [(x, y + h2, w2, depth - h2), (x + w2, y, room - w2, depth)]
        places.append((x, y, w, h))
        scales.append(scale)
        scale *= factor
    size = (_even(max(y + h for _, y, _, h in places)), _even(max(x + w for x, _, w, _ in places)))
    right, bottom = size[::-1]
    gaps = [(x, y, int(min(w, right - x)), min(h, bottom - y)) for x, y, w, h in free if x < right and y < bottom]
    gaps += [(x, y + h, w, 1) for x, y, w, h in places if h % _STRIDE]
    gaps += [(x + w, y, 1, _even(h)) for x, y, w, h in places if w % _STRIDE]
    cells = torch.full((_cells(size[0]), _cells(size[1])), -1, dtype=torch.int8)
    for i, (x, y, w, h) in enumerate(places):
        cells[y // 2 : y // 2 + _cells(h), x // 2 : x // 2 + _cells(w)] = i
    return _Pyramid(size, places, gaps, torch.tensor(scales), torch.tensor(places)[:, :2], cells)


def _even(length: int) -> int:
    return length + length % _STRIDE


def _cells(length: int) -> int:
    """How many windows PNet sees along `length` pixels, the last one perhaps a pixel over the end."""
    return (length - 1) // _STRIDE - 4


def _strips(length: int, most: int) -> list[slice]:
    """Parts of `length` of much the same size, `most` at most: what fits the processor's caches."""
    step = math.ceil(length / math.ceil(length / most))
    return [slice(i, min(i + step, length)) for i in range(0, length, step)]


def _bound(stage: int, area: SummedArea) -> int:
    """How many candidates `stage` may have: it bounds the time that a texture costs, and grows with the image."""
    return int(_BOUNDS[stage] * max(1.0, area.height * area.width / (640 * 480)))


def _pixels(boxes: Tensor) -> Tensor:
    """Boxes (N, 4) as whole pixels counted from 0, ends excluded."""
    return boxes.long() - _FIRST_PIXEL


def _within(area: SummedArea, pixels: Tensor) -> Tensor:
    """The same parts (N, 4) of a picture, without what little of them is beyond its border.

    So facenet-pytorch cuts all of them, and what is left is stretched to a square. Where it is much, grey finds better.
    """
    inside = pixels.clamp(min=0).minimum(torch.tensor([area.width, area.height] * 2))
    little = box_area(inside) > (1 - _BEYOND) * box_area(pixels)
    return torch.where(little[:, None], inside, pixels)


def _shift(boxes: Tensor, offsets: Tensor, inclusive: int = 1) -> Tensor:
    """Boxes moved by offsets relative to their width and height; `inclusive` is 1 where boxes hold both their ends."""
    size = (boxes[:, 2:] - boxes[:, :2] + inclusive).repeat(1, 2)
    return boxes + offsets * size


def _square(boxes: Tensor) -> Tensor:
    """The square about each box's centre with the box's longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def _support(some: Tensor, windows: Tensor, logits: Tensor) -> Tensor:
    """How much PNet's answers nearby speak for a face: sums (N,) over the windows (M, 4) about each of `some` (N,).

    A face is seen in many windows of several levels, what only looks like one in few: of photos of groups and of empty
    rooms two thirds of the candidates are left.
    """
    least, weights = box_area(windows) * (_NEIGHBOUR / (1 + _NEIGHBOUR)), logits.clamp(min=0)
    parts = [  # few at once, for all do not fit the processor's caches
        (_intersections(windows[part], windows).sub_(least) > least[part, None]).float() @ weights
        for part in some.split(128)
    ]
    return torch.cat(parts)


def _nms_min(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression by intersection over the *smaller* area, so that a box inside another goes."""
    order = scores.argsort(descending=True)
    boxes = boxes[order] + boxes.new_tensor([0, 0, 1, 1])  # their ends are inside
    area = box_area(boxes)
    near = (_intersections(boxes, boxes) > threshold * torch.minimum(area[:, None], area)).numpy()  # (N, N)
    kept: list[int] = []
    for i, others in enumerate(near):
        if not others[kept].any():
            kept.append(i)
    return order[kept]


def _intersections(boxes: Tensor, others: Tensor) -> Tensor:
    """Areas (N, M) that boxes (N, 4) share with others (M, 4)."""
    (left, top, right, bottom), (left2, top2, right2, bottom2) = boxes.T[..., None], others.T
    wide = torch.minimum(right, right2).sub_(torch.maximum(left, left2)).clamp_(min=0)
    return torch.minimum(bottom, bottom2).sub_(torch.maximum(top, top2)).clamp_(min=0).mul_(wide)
