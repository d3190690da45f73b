"""FaceNet: a residual backbone, or several side by side, and one linear head a task."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models.resnet import BasicBlock

from facekit.align import SIDES
from facekit.nets.heads import WHOLE, HeadedNet, Window, pixels


class FaceNet(HeadedNet):
    """A ResNet (He et al., 2016) of basic blocks with any widths, and a linear head for every task.

    With `widths=(64, 128, 256, 512)` the backbone is ResNet-18; half the widths cost a quarter of the work. The stem's
    stride and pooling are kept because early layers cost the most on a CPU.

    Args:
        heads: task name to its number of logits, e.g. `{"attributes": 40, "age": 101, "expression": 7}`.
        widths: channels of the four stages.
        depths: basic blocks in each stage.
        stem: kernel side of the first convolution, odd.
        dropout: share of the embedding dropped in training, in [0, 1).
        window: the part of the crop that it looks at.
        size: width and height in pixels to which that part is brought; `None` for as it comes.
    """

    def __init__(
        self,
        heads: Mapping[str, int],
        widths: Sequence[int] = (32, 64, 128, 256),
        depths: Sequence[int] = (2, 2, 2, 2),
        stem: int = 3,
        dropout: float = 0.0,
        window: Window = WHOLE,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(heads, widths[-1], dropout)
        left, top, right, bottom = window
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(f"a window is left, top, right and bottom in [0, 1], not {window}")
        if size is not None and not all(SIDES[0] <= side <= SIDES[1] for side in size):
            raise ValueError(f"a picture's sides are {SIDES[0]} to {SIDES[1]} pixels, not {size}")
        self.window, self.size = window, size
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], stem, stride=2, padding=stem // 2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = [widths[0], *widths]
        self.stages = nn.Sequential(
            *(
                _stage(channels[i], width, depth, stride=1 if i == 0 else 2)
                for i, (width, depth) in enumerate(zip(widths, depths, strict=True))
            )
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for block in self.modules():
            if isinstance(block, BasicBlock):
                nn.init.zeros_(block.bn2.weight)  # every block starts as the identity

    def layers(self) -> dict[str, nn.Module]:
        """The stem and the four stages."""
        return {"stem": self.stem, **{f"stage {i}": stage for i, stage in enumerate(self.stages, 1)}}

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The last stage but one."""
        return {self.stages[2]: self.window}

    def embed(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to (B, width) embeddings."""
        left, top, right, bottom = pixels(self.window, int(crops.shape[3]), int(crops.shape[2]))
        x = crops[:, :, top:bottom, left:right]
        if self.size is not None and (x.shape[3], x.shape[2]) != tuple(self.size):
            x = interpolate(x, self.size[::-1], mode="bilinear", antialias=True)
        return self.stages(self.stem(x)).mean((2, 3))


class JoinedNet(HeadedNet):
    """FaceNets side by side: their embeddings are joined, and every task has one linear head on all of them.

    With heads that hold the members' heads, each divided by their number, this is the ensemble of the members: it
    answers with the mean of their logits.

    Args:
        heads: task name to its number of logits.
        members: the settings of each `FaceNet`.
    """

    def __init__(self, heads: Mapping[str, int], members: Sequence[Mapping[str, Any]] = ({}, {})) -> None:
        nets = [FaceNet({}, **settings) for settings in members]
        super().__init__(heads, sum(net.width for net in nets))
        self.members = nn.ModuleList(nets)

    def layers(self) -> dict[str, nn.Module]:
        """The stem and the four stages of every member."""
        return {
            f"{name}, net {i}": part for i, net in enumerate(self._nets(), 1) for name, part in net.layers().items()
        }

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The last stage but one of every member."""
        return {part: window for net in self._nets() for part, window in net.explained.items()}

    def embed(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to (B, width) embeddings."""
        return torch.cat([net.embed(crops) for net in self._nets()], 1)

    def _nets(self) -> list[FaceNet]:
        return [net for net in self.members if isinstance(net, FaceNet)]


def _stage(channels: int, width: int, depth: int, *, stride: int) -> nn.Sequential:
    first = BasicBlock(channels, width, stride, _shortcut(channels, width, stride))
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(depth - 1)))


def _shortcut(channels: int, width: int, stride: int) -> nn.Module | None:
    """What the skip connection needs where the shape changes: a strided 1x1 convolution."""
    if stride == 1 and channels == width:
        return None
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
