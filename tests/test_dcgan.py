"""The published pair is the published pair, and the larger one is what its settings say."""

from pathlib import Path

import pytest
import torch
from torch import nn

from facekit.nets.dcgan import DcganDiscriminator, DcganGenerator, PublishedDiscriminator, PublishedGenerator, UpConv


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(model: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]


def test_the_published_pair_has_the_published_layers() -> None:
    generator, discriminator = PublishedGenerator(), PublishedDiscriminator()
    assert (size(generator), size(discriminator)) == (1_006_787, 794_241)
    assert shapes(generator) == [(4096, 64), (64, 64, 4, 4), (64, 128, 4, 4), (128, 256, 4, 4), (3, 256, 5, 5)]
    steps = [(64, 3, 4, 4), (128, 64, 4, 4), (128, 128, 4, 4), (128, 128, 4, 4)]
    assert shapes(discriminator) == [*steps, (64, 2048), (64, 64), (1, 64)]


def test_the_published_pair_works_in_zero_to_one_inside() -> None:
    generator, discriminator = PublishedGenerator(), PublishedDiscriminator().eval()
    latents = torch.randn(3, 64)
    inside = generator.layers(latents)
    assert inside.min() >= 0 and inside.max() <= 1
    pictures = generator(latents)
    torch.testing.assert_close(pictures, inside * 2 - 1)
    torch.testing.assert_close(discriminator(pictures).real, discriminator.layers(inside).flatten())


@pytest.mark.parametrize("pixels", [8, 16, 32, 64])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_pictures_of_every_size(pixels: int, norm: str) -> None:
    generator = DcganGenerator(size=pixels, width=4, latent=8, norm=norm)
    pictures = generator(torch.randn(2, 8))
    assert pictures.shape == (2, 3, pixels, pixels)
    assert DcganDiscriminator(size=pixels, width=4, norm=norm)(pictures).real.shape == (2,)


@pytest.mark.parametrize("pixels", [4, 48, 0])
def test_a_size_that_halving_does_not_reach_is_refused(pixels: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        DcganGenerator(size=pixels)


def test_the_larger_pair_keeps_its_budget() -> None:
    assert size(DcganGenerator()) + size(DcganDiscriminator()) <= 4 * (1_006_787 + 794_241)


def test_packed_pictures_are_judged_together() -> None:
    discriminator = DcganDiscriminator(size=16, width=4, pack=2, norm="none")
    pictures = torch.randn(6, 3, 16, 16)
    judged = discriminator(pictures).real
    assert judged.shape == (3,)
    swapped = pictures.clone()
    swapped[4:] = pictures[:2]
    torch.testing.assert_close(discriminator(swapped).real[2], judged[0])
    with pytest.raises(ValueError, match="judged together"):
        DcganDiscriminator(pack=2, attributes=("Male",))


def test_the_spread_of_a_batch_is_seen() -> None:
    """Without it a picture's judgement does not depend on its neighbours."""
    pictures = torch.randn(4, 3, 16, 16)
    other = torch.cat([pictures[:1], pictures[:1] * 0.9, pictures[:2]])
    for sees in (False, True):
        discriminator = DcganDiscriminator(size=16, width=4, norm="none", minibatch_std=sees)
        nn.init.ones_(discriminator.real_head.weight)
        first, second = discriminator(pictures).real[0], discriminator(other).real[0]
        assert bool(torch.isclose(first, second, rtol=1e-5)) is not sees


def test_spectral_norm_bounds_what_every_layer_can_stretch() -> None:
    discriminator = DcganDiscriminator(size=16, width=4, norm="spectral").train()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(50)
        for _ in range(30):  # one power iteration a pass
            discriminator(torch.randn(2, 3, 16, 16))
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2) < 1.2


def test_attributes_change_the_picture_and_are_told() -> None:
    generator = DcganGenerator(size=16, width=4, attributes=("Male", "Smiling")).eval()
    latents = torch.randn(2, 64)
    no, yes = generator(latents, torch.tensor([[-1.0, -1.0]] * 2)), generator(latents, torch.tensor([[1.0, -1.0]] * 2))
    assert not torch.allclose(no, yes)
    told = DcganDiscriminator(size=16, width=4, attributes=("Male", "Smiling"))(no)
    assert told.attributes.shape == (2, 2)
    for wrong in (None, torch.zeros(2, 1)):
        with pytest.raises(ValueError, match="takes 2 attributes"):
            generator(latents, wrong)


def test_both_come_back_from_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    latents = torch.randn(3, 64)
    generator = DcganGenerator(size=16, width=4).eval()
    discriminator = DcganDiscriminator(size=16, width=4, norm="spectral", minibatch_std=True).eval()
    generator.save_pretrained(tmp_path / "g")
    discriminator.save_pretrained(tmp_path / "d")
    again = DcganGenerator.from_pretrained(tmp_path / "g", low_cpu_mem_usage=False)
    judge = DcganDiscriminator.from_pretrained(tmp_path / "d", low_cpu_mem_usage=False)
    torch.testing.assert_close(again(latents), generator(latents))
    torch.testing.assert_close(judge(again(latents)).real, discriminator(generator(latents)).real)


@pytest.mark.parametrize("bias", [True, False])
def test_an_up_convolution_is_the_transposed_one_with_its_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    own, plain = UpConv(5, 7, 4, 2, 1, bias=bias), nn.ConvTranspose2d(5, 7, 4, 2, 1, bias=bias)
    plain.load_state_dict(own.state_dict())
    maps, wanted = torch.randn(2, 5, 6, 6), torch.randn(2, 7, 12, 12)
    made = []
    for net in (own, plain):
        given = maps.clone().requires_grad_()
        out = net(given)
        (out * wanted).sum().backward()
        made.append([out, given.grad, *(weight.grad for weight in net.parameters())])
    for one, other in zip(*made, strict=True):
        torch.testing.assert_close(one, other)
