"""ImdbWikiCNN: the reference networks for gender and age from 32x32 faces (2021, Keras), in their two forms."""

from collections.abc import Mapping
from typing import Literal

from torch import nn

from facekit.nets.heads import WHOLE, PlainNet, Window


class ImdbWikiCNN(PlainNet):
    """Four 2x2 convolutions of 16 to 128 with ReLU, batch norm and max-pooling, then dense layers. (B, 3, 32, 32).

    Args:
        heads: task name to its number of logits.
        dense: "classes" for 512, 256, 128 (ReLU, batch norm, dropout), 64 (ReLU, batch norm) and 16 (ReLU), as for
            gender; "regression" for 256 (leaky ReLU, dropout), 64 and 32 (leaky ReLU), as for age in years.
    """

    def __init__(self, heads: Mapping[str, int], dense: Literal["classes", "regression"] = "classes") -> None:
        super().__init__(heads, 16 if dense == "classes" else 32)
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 32), (32, 64), (64, 128)):
            layers += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(before, after, 2), nn.ReLU()]
            layers += [nn.BatchNorm2d(after), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.dense = nn.Sequential(nn.Flatten(), *(_classes() if dense == "classes" else _regression()))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def layers(self) -> dict[str, nn.Module]:
        """The four blocks."""
        return {f"block {i + 1}": self.features[5 * i + 4] for i in range(4)}

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The third block before its pooling: 8x8 maps."""
        return {self.features[13]: WHOLE}


def _classes() -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in ((512, 512), (512, 256), (256, 128)):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.BatchNorm1d(after), nn.Dropout(0.25)]
    return [*layers, nn.Linear(128, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Linear(64, 16), nn.ReLU()]


def _regression() -> list[nn.Module]:
    return [
        *(nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Dropout(0.25)),
        *(nn.Linear(256, 64), nn.LeakyReLU(0.2)),
        *(nn.Linear(64, 32), nn.LeakyReLU(0.2)),
    ]
