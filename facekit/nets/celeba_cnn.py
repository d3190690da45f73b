"""CelebaCNN: the reference classifier of one CelebA attribute (2022, Keras), 623,490 parameters for two classes."""

from collections.abc import Mapping

from torch import nn

from facekit.nets.heads import WHOLE, PlainNet, Window


class CelebaCNN(PlainNet):
    """Four 2x2 convolutions, each with ReLU and 2x2 max-pooling, then three sigmoid layers of 64.

    Reads CelebA's whole frame: crops are (B, 3, 218, 178).

    Args:
        heads: task name to its number of logits.
        size: width and height of the crops in pixels.
    """

    def __init__(self, heads: Mapping[str, int], size: tuple[int, int] = (178, 218)) -> None:
        super().__init__(heads, 64)
        layers: list[nn.Module] = []
        for before, after in ((3, 32), (32, 32), (32, 64), (64, 64)):
            layers += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(before, after, 2), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(64 * (size[0] // 16) * (size[1] // 16), 64), nn.Sigmoid()),
            *(nn.Linear(64, 64), nn.Sigmoid()),
            *(nn.Linear(64, 64), nn.Sigmoid()),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):  # Keras' own start; torch's is too flat for three sigmoids
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def layers(self) -> dict[str, nn.Module]:
        """The four blocks."""
        return {f"block {i + 1}": self.features[4 * i + 3] for i in range(4)}

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The last convolution's ReLU."""
        return {self.features[-2]: WHOLE}
