"""RealtimeCNN: the reference network for gender from the camera (2023, PyTorch)."""

from collections.abc import Mapping

from torch import nn

from facekit.nets.heads import WHOLE, PlainNet, Window


class RealtimeCNN(PlainNet):
    """Four 5x5 convolutions of 16, 16, 32 and 64, each with ReLU and overlapping max-pooling. (B, 3, 224, 224).

    Args:
        heads: task name to its number of logits.
    """

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__(heads, 2048)
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(before, after, 5, padding=1), nn.ReLU(), nn.MaxPool2d(4, stride=2)]
        self.features = nn.Sequential(*layers)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(6400, 2048))

    def layers(self) -> dict[str, nn.Module]:
        """The four blocks."""
        return {f"block {i + 1}": self.features[3 * i + 2] for i in range(4)}

    @property
    def explained(self) -> dict[nn.Module, Window]:
        """The last activations before pooling, from which its authors explain it by Grad-CAM."""
        return {self.features[-2]: WHOLE}
