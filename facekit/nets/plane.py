"""A generator and a discriminator of points in the plane: small enough to train while one watches."""

from torch import Tensor, nn

from facekit.nets.dcgan import Judgement


class PlaneGenerator(nn.Module):
    """Latents to points, by two hidden layers.

    Args:
        latent: length of a latent.
        width: units of a hidden layer.
    """

    def __init__(self, latent: int = 2, width: int = 128) -> None:
        super().__init__()
        self.latent = latent
        self.layers = nn.Sequential(
            *(nn.Linear(latent, width), nn.ReLU()), *(nn.Linear(width, width), nn.ReLU()), nn.Linear(width, 2)
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(B, latent) to points (B, 2)."""
        return self.layers(latents)


class PlaneDiscriminator(nn.Module):
    """Points to whether they are real, by two hidden layers.

    Args:
        width: units of a hidden layer.
        pack: points judged together (PacGAN, Lin et al., 2018); they follow each other in a batch.
    """

    def __init__(self, width: int = 128, pack: int = 1) -> None:
        super().__init__()
        self.pack = pack
        self.layers = nn.Sequential(
            *(nn.Linear(2 * pack, width), nn.LeakyReLU(0.2)),
            *(nn.Linear(width, width), nn.LeakyReLU(0.2)),
            nn.Linear(width, 1),
        )

    def forward(self, points: Tensor) -> Judgement:
        """Points (B, 2), with B a multiple of `pack`."""
        return Judgement(self.layers(points.reshape(-1, 2 * self.pack)).flatten(), points.new_zeros(len(points), 0))
