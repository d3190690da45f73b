"""Published backbones under our heads: VGG-16 as in VGG-Face, and torchvision's residual networks."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from torch import Tensor, nn
from torchvision.models import ResNet, resnet18, resnext50_32x4d
from torchvision.models.vgg import cfgs, make_layers

from facekit.nets.heads import WHOLE, CosineHead, HeadedNet, PlainNet, Window


class VggFace(PlainNet):
    """VGG-16 (Simonyan and Zisserman, 2015) as in VGG-Face (Parkhi et al., 2015). (B, 3, 224, 224) as published.

    `features` holds 13 convolutions of 3x3 in five groups, each ended by 2x2 max-pooling; `dense` the layers fc6 and
    fc7. With one head of 2622 identities it has VGG-Face's 145,002,878 parameters. Any size from 32 px is read: the
    last maps are pooled to `grid` x `grid`.

    Args:
        heads: task name to its number of logits.
        width: share of VGG-16's channels, for experiments that a CPU can do.
        hidden: units of fc6 and fc7.
        grid: side of the maps that fc6 reads.
        norm: batch norm before every ReLU, in place of dropout (Ioffe and Szegedy, 2015): for training from scratch on
            few pictures.
        cosine: scale of logits that are the cosines of the embedding with one direction an answer; `None` for the
            published linear layers.
    """

    def __init__(
        self,
        heads: Mapping[str, int],
        width: float = 1.0,
        hidden: int = 4096,
        grid: int = 7,
        norm: bool = False,
        cosine: float | None = None,
    ) -> None:
        super().__init__(heads, hidden)
        if cosine is not None:
            self.heads = nn.ModuleDict({task: CosineHead(hidden, size, cosine) for task, size in heads.items()})
        groups = [layer if isinstance(layer, str) else max(1, round(width * layer)) for layer in cfgs["D"]]
        self.features = make_layers(groups, batch_norm=norm)
        channels = [layer for layer in groups if isinstance(layer, int)][-1]
        layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(grid), nn.Flatten()]
        for before in (channels * grid**2, hidden):
            relu = nn.ReLU(inplace=True)
            layers += [
                nn.Linear(before, hidden),
                *([nn.BatchNorm1d(hidden), relu] if norm else [relu, nn.Dropout(0.5)]),
            ]
        self.dense = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def layers(self) -> dict[str, nn.Module]:
        """The five groups."""
        pools = [layer for layer in self.features if isinstance(layer, nn.MaxPool2d)]
        return {f"group {i}": pool for i, pool in enumerate(pools, 1)}

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The fourth group: 14x14 maps of a 224 px crop."""
        return {self.layers()["group 4"]: WHOLE}


_RESIDUAL: Final[dict[str, Callable[[], ResNet]]] = {"resnet18": resnet18, "resnext50": resnext50_32x4d}


class ResidualNet(HeadedNet):
    """torchvision's ResNet-18 or ResNeXt-50 (32x4d) under our heads. (B, 3, 224, 224) as published, any size works.

    Args:
        heads: task name to its number of logits.
        backbone: "resnet18" (He et al., 2016) or "resnext50" (Xie et al., 2017).
        dropout: share of the embedding dropped in training, in [0, 1).
    """

    def __init__(
        self,
        heads: Mapping[str, int],
        backbone: Literal["resnet18", "resnext50"] = "resnet18",
        dropout: float = 0.0,
    ) -> None:
        net = _RESIDUAL[backbone]()
        super().__init__(heads, net.fc.in_features, dropout)
        net.fc = nn.Identity()  # type: ignore[assignment]
        self.backbone = net

    def layers(self) -> dict[str, nn.Module]:
        """The stem and the four stages."""
        net = self.backbone
        stages = (net.layer1, net.layer2, net.layer3, net.layer4)
        return {"stem": net.maxpool, **{f"stage {i}": stage for i, stage in enumerate(stages, 1)}}

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The last stage but one."""
        return {self.backbone.layer3: WHOLE}

    def embed(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to (B, 512 or 2048) embeddings."""
        return self.backbone(crops)
