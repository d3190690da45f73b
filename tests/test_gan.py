"""The two train against each other as the settings say, and the settings may change between two steps."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facekit.gan import Gan, attribute_loss, discriminator_loss, generator_loss
from facekit.gan_settings import GanSettings
from facekit.nets.dcgan import DcganDiscriminator, DcganGenerator, Judgement
from facekit.plane import ring

REAL, FAKE = torch.tensor([0.3, -1.2]), torch.tensor([2.0, 0.5])


class PlaneGenerator(nn.Sequential):
    """Latents (B, 2) to points (B, 2)."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))


class PlaneDiscriminator(nn.Module):
    """Points (B, 2) to whether they are real, `pack` at a time."""

    def __init__(self, pack: int = 1) -> None:
        super().__init__()
        self.pack = pack
        first, second = nn.Linear(2 * pack, 128), nn.Linear(128, 128)
        self.layers = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Linear(128, 1))

    def forward(self, points: Tensor) -> Judgement:
        judged = self.layers(points.reshape(-1, 2 * self.pack)).flatten()
        return Judgement(judged, points.new_zeros(len(points), 0))


def plane(seed: int = 0, pack: int = 1, **settings: object) -> Gan:
    torch.manual_seed(seed)
    chosen = GanSettings.model_validate({"generator_rate": 1e-3, "discriminator_rate": 1e-3} | settings)
    return Gan(PlaneGenerator(), PlaneDiscriminator(pack=pack), chosen, latent=2, seed=seed)


class RingBatches:
    def __init__(self, seed: int = 0, count: int = 256) -> None:
        self.random, self.count, self.asked = np.random.default_rng(seed), count, 0

    def __call__(self) -> tuple[Tensor, Tensor]:
        self.asked += 1
        return torch.from_numpy(ring().draw(self.count, self.random)), torch.empty(self.count, 0)


@pytest.mark.parametrize(
    ("settings", "discriminator", "generator"),
    [
        (
            GanSettings(),
            -(REAL.sigmoid().log().mean() + (1 - FAKE.sigmoid()).log().mean()),
            -FAKE.sigmoid().log().mean(),
        ),
        (
            GanSettings(label_smoothing=0.1),
            -(0.9 * REAL.sigmoid().log() + 0.1 * (1 - REAL.sigmoid()).log()).mean() - (1 - FAKE.sigmoid()).log().mean(),
            -FAKE.sigmoid().log().mean(),
        ),
        (
            GanSettings(loss="least-squares"),
            ((REAL - 1) ** 2).mean() / 2 + (FAKE**2).mean() / 2,
            ((FAKE - 1) ** 2).mean() / 2,
        ),
        (GanSettings(loss="hinge"), torch.tensor((0.7 + 2.2) / 2 + (3.0 + 1.5) / 2), -FAKE.mean()),
        (GanSettings(loss="wasserstein"), FAKE.mean() - REAL.mean(), -FAKE.mean()),
    ],
)
def test_losses_are_the_published_ones(settings: GanSettings, discriminator: Tensor, generator: Tensor) -> None:
    torch.testing.assert_close(discriminator_loss(REAL, FAKE, settings), discriminator)
    torch.testing.assert_close(generator_loss(FAKE, settings), generator)


@pytest.mark.parametrize("loss", ["bce", "least-squares", "hinge", "wasserstein"])
def test_every_loss_moves_both_networks(loss: str) -> None:
    gan = plane(loss=loss)
    before = [[p.clone() for p in net.parameters()] for net in (gan.generator, gan.discriminator)]
    figures = gan.step(RingBatches())
    assert set(figures) == {"discriminator", "generator", "real", "fake"} and gan.steps == 1
    for net, old in zip((gan.generator, gan.discriminator), before, strict=True):
        moved = [bool((p != q).any()) for p, q in zip(net.parameters(), old, strict=True)]
        assert all(moved[:-1])  # where only differences of judgements count, the last bias stays


def test_each_step_moves_its_own_network_alone() -> None:
    gan = plane()
    generator, discriminator = ([p.clone() for p in net.parameters()] for net in (gan.generator, gan.discriminator))
    gan.discriminator_step(*RingBatches()())
    assert all(torch.equal(p, q) for p, q in zip(gan.generator.parameters(), generator, strict=True))
    discriminator = [p.clone() for p in gan.discriminator.parameters()]
    gan.generator_step(torch.empty(64, 0))
    assert all(torch.equal(p, q) for p, q in zip(gan.discriminator.parameters(), discriminator, strict=True))
    assert all(p.requires_grad for p in gan.discriminator.parameters())


def test_the_same_seed_is_the_same_run() -> None:
    runs = [plane(3, r1=0.1), plane(3, r1=0.1)]
    for gan in runs:
        batches = RingBatches()
        for _ in range(5):
            gan.step(batches)
    for p, q in zip(runs[0].generator.parameters(), runs[1].generator.parameters(), strict=True):
        assert torch.equal(p, q)


def test_steps_of_each_are_counted() -> None:
    gan, batches = plane(discriminator_steps=3, generator_steps=2), RingBatches()
    made = []
    gan.generator.register_forward_hook(lambda *_: made.append(1))
    gan.step(batches)
    assert batches.asked == 3 and len(made) == 3 + 2


def test_rates_may_change_between_two_steps() -> None:
    gan = plane()
    gan.step(RingBatches())
    gan.settings = gan.settings.model_copy(update={"generator_rate": 1e-9, "ema": 0.5})
    before = [p.clone() for p in gan.generator.parameters()]
    gan.step(RingBatches())
    moved = max(float((p - q).detach().abs().max()) for p, q in zip(gan.generator.parameters(), before, strict=True))
    assert moved < 1e-7
    assert gan.drawing is not gan.generator


def test_the_average_follows_the_generator() -> None:
    gan, batches = plane(ema=0.1), RingBatches()
    gan.step(batches)  # the average begins with the first weights it sees
    first = next(iter(gan.generator.parameters())).clone()
    gan.step(batches)
    second = next(iter(gan.generator.parameters()))
    torch.testing.assert_close(next(iter(gan.drawing.parameters())), 0.1 * first + 0.9 * second)


def test_r1_flattens_the_discriminator_at_real_points() -> None:
    def slope(gan: Gan) -> float:
        points = RingBatches(5)()[0].requires_grad_()
        (gradient,) = torch.autograd.grad(gan.discriminator(points).real.sum(), points)
        return float(gradient.norm(dim=1).mean())

    runs = {r1: plane(r1=r1) for r1 in (0.0, 5.0)}
    for gan in runs.values():
        batches = RingBatches()
        for _ in range(60):
            gan.discriminator_step(*batches())
    assert slope(runs[5.0]) < 0.6 * slope(runs[0.0])


def test_r1_may_come_now_and_then_and_weigh_more() -> None:
    rare = plane(r1=1.0, r1_every=3)
    paid = []
    rare.discriminator.register_forward_pre_hook(lambda _, given: paid.append(given[0].requires_grad))
    for _ in range(6):
        rare.step(RingBatches())
    assert paid[::3] == [True, False, False] * 2  # a step looks at real points, at made ones, and at made ones again
    at_once = plane(r1=3.0)
    at_once.discriminator_step(*RingBatches(7)())
    again = plane(r1=1.0, r1_every=3)
    again.discriminator_step(*RingBatches(7)())
    for p, q in zip(at_once.discriminator.parameters(), again.discriminator.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_unrolled_updates_are_taken_back() -> None:
    plain, ahead = plane(), plane(unrolled=3)
    for gan in (plain, ahead):
        gan.random.manual_seed(0)
    batches = RingBatches()
    ahead.step(batches)
    assert batches.asked == 1 + 3
    plain.step(RingBatches())
    for p, q in zip(plain.discriminator.parameters(), ahead.discriminator.parameters(), strict=True):
        torch.testing.assert_close(p, q)  # as after one update of its own
    same = [torch.equal(p, q) for p, q in zip(plain.generator.parameters(), ahead.generator.parameters(), strict=True)]
    assert not all(same)


def test_the_gradient_penalty_pulls_the_slope_to_one() -> None:
    gan, batches = plane(loss="wasserstein"), RingBatches()
    with torch.no_grad():
        for parameter in gan.discriminator.parameters():
            parameter.mul_(3)
    middle = torch.randn(256, 2)

    def error() -> float:
        points = middle.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(gan.discriminator(points).real.sum(), points)
        return float((gradient.norm(dim=1) - 1).abs().mean())

    before = error()
    for _ in range(150):
        gan.discriminator_step(*batches())
    assert error() < before / 2


def test_unknown_attributes_cost_nothing() -> None:
    logits, truth = torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, torch.nan]])
    torch.testing.assert_close(attribute_loss(logits, truth), -torch.tensor(2.0).sigmoid().log())
    assert attribute_loss(logits, truth * torch.nan) == 0
    assert attribute_loss(torch.empty(3, 0), torch.empty(3, 0)) == 0


def test_what_few_have_counts_as_much_as_what_many_have() -> None:
    truth = torch.tensor([[1.0], [0.0], [0.0], [0.0]])  # a quarter has it
    for logit in (-9.0, 9.0):  # wrong about the one, wrong about the three
        loss = attribute_loss(torch.full((4, 1), logit), truth, torch.tensor([0.25]))
        assert float(loss) == pytest.approx(4.5, abs=0.01)


def test_a_conditional_generator_learns_to_show_what_it_is_given() -> None:
    """Bright pictures are "smiling": the auxiliary classifier tells, the generator follows."""
    torch.manual_seed(0)
    names = ("Smiling",)
    generator = DcganGenerator(size=8, width=8, latent=8, attributes=names)
    discriminator = DcganDiscriminator(size=8, width=8, norm="none", attributes=names)
    gan = Gan(
        generator, discriminator, GanSettings(generator_rate=2e-3, discriminator_rate=1e-3, attributes=3), latent=8
    )
    random = torch.Generator().manual_seed(0)

    def batches() -> tuple[Tensor, Tensor]:
        bright = torch.randint(2, (32, 1), generator=random).float()
        return (bright - 0.5)[:, :, None, None] + 0.1 * torch.randn(32, 3, 8, 8, generator=random), bright

    for _ in range(300):
        gan.step(batches)
    latents = torch.randn(64, 8)
    generator.eval()
    with torch.no_grad():
        bright, dark = generator(latents, torch.ones(64, 1)), generator(latents, -torch.ones(64, 1))
    assert float(bright.mean()) > float(dark.mean()) + 0.4


def test_packed_points_are_judged_together() -> None:
    judged: list[Tensor] = []
    gan = plane(pack=4)
    gan.discriminator.register_forward_hook(lambda *call: judged.append(call[2].real))
    gan.step(RingBatches(count=64))
    assert [one.shape for one in judged] == [(16,)] * 3
