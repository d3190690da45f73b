"""FaceNet: a residual backbone, or several side by side, and one linear head a task."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from facekit.nets.heads import HeadedNet


class _StagedNet(HeadedNet):
    """A stem and four stages; the pooled maps of the last are the embedding."""

    stem: nn.Module
    stages: nn.Sequential

    def layers(self) -> dict[str, nn.Module]:
        """The stem and the four stages."""
        return {"stem": self.stem, **{f"stage {i}": stage for i, stage in enumerate(self.stages, 1)}}

    @property
    def explained(self) -> nn.Module:
        """The last stage but one."""
        return self.stages[2]

    def embed(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to (B, width) embeddings."""
        return self.stages(self.stem(crops)).mean((2, 3))


class FaceNet(_StagedNet):
    """A ResNet (He et al., 2016) of basic blocks with any widths, and a linear head for every task.

    With `widths=(64, 128, 256, 512)` the backbone is ResNet-18; half the widths cost a quarter of the work. The stem's
    stride and pooling are kept because early layers cost the most on a CPU.

    Args:
        heads: task name to its number of logits, e.g. `{"attributes": 40, "age": 101, "expression": 7}`.
        widths: channels of the four stages.
        depths: basic blocks in each stage.
        stem: kernel side of the first convolution, odd.
        dropout: share of the embedding dropped in training, in [0, 1).
    """

    def __init__(
        self,
        heads: Mapping[str, int],
        widths: Sequence[int] = (32, 64, 128, 256),
        depths: Sequence[int] = (2, 2, 2, 2),
        stem: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(heads, widths[-1], dropout)
        self.widths = tuple(widths)
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


class JoinedNet(_StagedNet):
    """FaceNets side by side: their embeddings are joined, and every task has one linear head on all of them.

    With heads that hold the members' heads, each divided by their number, this is the ensemble of the members: it
    answers with the mean of their logits. Every stage puts out the maps of all members, so that what it sees can be
    shown and explained as that of one network.

    Args:
        heads: task name to its number of logits.
        members: the settings of each `FaceNet`.
    """

    def __init__(self, heads: Mapping[str, int], members: Sequence[Mapping[str, Any]] = ({}, {})) -> None:
        nets = [FaceNet({}, **settings) for settings in members]
        super().__init__(heads, sum(net.width for net in nets))
        entering = zip(*([net.widths[0], *net.widths[:-1]] for net in nets), strict=True)  # channels, by stage
        self.stem = _Beside([net.stem for net in nets])
        stages = zip(*(net.stages for net in nets), strict=True)
        self.stages = nn.Sequential(
            *(_Beside(stage, channels) for stage, channels in zip(stages, entering, strict=True))
        )


class _Beside(nn.ModuleList):
    """Modules that each take their share of the channels, or all of them, and put out their maps side by side."""

    def __init__(self, modules: Sequence[nn.Module], channels: Sequence[int] | None = None) -> None:
        super().__init__(modules)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        parts = [x] * len(self) if self.channels is None else x.split(list(self.channels), 1)
        return torch.cat([module(part) for module, part in zip(self, parts, strict=True)], 1)


def _stage(channels: int, width: int, depth: int, *, stride: int) -> nn.Sequential:
    first = BasicBlock(channels, width, stride, _shortcut(channels, width, stride))
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(depth - 1)))


def _shortcut(channels: int, width: int, stride: int) -> nn.Module | None:
    """What the skip connection needs where the shape changes: a strided 1x1 convolution."""
    if stride == 1 and channels == width:
        return None
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
