from typing import Literal

import pytest
import torch
from torch import nn

from facekit.nets import ARCHITECTURES, CelebaCNN, FaceNet, ImdbWikiCNN, RealtimeCNN, ResidualNet, VggFace, build
from facekit.nets.heads import HeadedNet

HEADS = {"attributes": 40, "age": 101, "expression": 7}


def test_logits_of_every_head_at_any_size() -> None:
    model = FaceNet(HEADS).eval()
    for height, width in ((128, 112), (73, 64)):
        logits = model(torch.zeros(2, 3, height, width))
        assert {task: tuple(values.shape) for task, values in logits.items()} == {
            "attributes": (2, 40),
            "age": (2, 101),
            "expression": (2, 7),
        }


def test_full_width_is_resnet18() -> None:
    """torchvision's ResNet-18 has 11,176,512 parameters without its classifier; ours has the same with a 7x7 stem."""
    model = FaceNet({"attributes": 40}, widths=(64, 128, 256, 512), stem=7)
    head = sum(p.numel() for p in model.heads.parameters())
    assert sum(p.numel() for p in model.parameters()) - head == 11_176_512


def test_blocks_start_as_the_identity() -> None:
    model = FaceNet({"age": 101}).eval()
    x = torch.rand(1, 32, 16, 16)
    assert torch.equal(model.stages[0](x), x)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_acts_in_training_only(dropout: float) -> None:
    model = FaceNet({"expression": 7}, dropout=dropout).eval()
    x = torch.rand(2, 3, 64, 56)
    assert torch.equal(model(x)["expression"], model(x)["expression"])


def test_a_window_shows_a_part_of_the_crop() -> None:
    close = FaceNet(HEADS, (4, 4, 8, 8), window=(0.125, 0.15625, 0.875, 0.90625)).eval()
    whole = FaceNet(HEADS, (4, 4, 8, 8)).eval()
    whole.load_state_dict(close.state_dict())
    x = torch.randn(2, 3, 128, 112)
    assert torch.equal(close.embed(x), whole.embed(x[:, :, 20:116, 14:98]))
    with pytest.raises(ValueError, match=r"a window is left, top, right and bottom in \[0, 1\]"):
        build("face-net", {"age": 101}, {"window": [0.5, 0, 0.5, 1]})


def test_cosines_are_scaled() -> None:
    model = VggFace({"identity": 5}, width=0.125, hidden=16, cosine=24).eval()
    x = torch.randn(3, 3, 64, 64)
    embedding = model.embed(x)
    cosines = torch.cosine_similarity(embedding[:, None], model.heads["identity"].weight, dim=2)
    torch.testing.assert_close(model(x)["identity"], 24 * cosines)


def parameters(model: HeadedNet) -> int:
    return sum(p.numel() for p in model.parameters())


def shapes(model: HeadedNet, size: tuple[int, int]) -> list[tuple[int, ...]]:
    """(channels, height, width) after every pooling of `features`, for one crop of `size` (width, height)."""
    x, seen = torch.zeros(1, 3, size[1], size[0]), []
    for layer in model.features:  # type: ignore[union-attr,operator]
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            seen.append(tuple(x.shape[1:]))
    return seen


def test_celeba_cnn_has_the_published_parameters_and_maps() -> None:
    model = CelebaCNN({"gender": 2}).eval()
    assert parameters(model) == 623_490
    assert shapes(model, (178, 218)) == [(32, 109, 89), (32, 54, 44), (64, 27, 22), (64, 13, 11)]
    assert model(torch.zeros(2, 3, 218, 178))["gender"].shape == (2, 2)


def test_vgg_face_has_the_published_parameters_and_maps() -> None:
    with torch.device("meta"):
        model = VggFace({"identity": 2622}).eval()
        assert parameters(model) == 145_002_878
        assert shapes(model, (224, 224)) == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
        assert sum(isinstance(layer, nn.Conv2d) for layer in model.features) == 13


def test_a_narrow_vgg_reads_small_crops() -> None:
    model = VggFace({"gender": 2}, width=0.125, hidden=32, grid=3).eval()
    assert model(torch.zeros(1, 3, 48, 48))["gender"].shape == (1, 2)
    assert model.features[0].out_channels == 8
    normed = VggFace({"gender": 2}, width=0.125, hidden=32, grid=3, norm=True).eval()
    assert normed(torch.zeros(1, 3, 48, 48))["gender"].shape == (1, 2)
    norms = [layer for layer in normed.modules() if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d)]
    assert len(norms) == 15 and not any(layer.p for layer in normed.modules() if isinstance(layer, nn.Dropout))


def test_imdb_wiki_cnn_has_the_published_layers() -> None:
    """The counts are sums over the published layers, convolutions with their norms first."""
    classes, regression = ImdbWikiCNN({"gender": 2}).eval(), ImdbWikiCNN({"age": 1}, dense="regression").eval()
    assert shapes(classes, (32, 32)) == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (128, 2, 2)]
    convolutions = 208 + 2_080 + 8_256 + 32_896 + 2 * (16 + 32 + 64 + 128)
    assert parameters(classes) == convolutions + 262_656 + 131_328 + 32_896 + 8_256 + 1_040 + 34 + 2 * (
        512 + 256 + 128 + 64
    )
    assert parameters(regression) == convolutions + 131_328 + 16_448 + 2_080 + 33
    assert regression(torch.zeros(3, 3, 32, 32))["age"].shape == (3, 1)


def test_realtime_cnn_flattens_to_the_published_6400() -> None:
    model = RealtimeCNN({"gender": 2}).eval()
    assert shapes(model, (224, 224))[-1] == (64, 10, 10)
    assert model(torch.zeros(1, 3, 224, 224))["gender"].shape == (1, 2)


@pytest.mark.parametrize(
    ("backbone", "width", "count"), [("resnet18", 512, 11_176_512), ("resnext50", 2048, 22_979_904)]
)
def test_residual_nets_are_torchvisions(backbone: Literal["resnet18", "resnext50"], width: int, count: int) -> None:
    with torch.device("meta"):
        model = ResidualNet({"age": 3, "gender": 2}, backbone)
        assert parameters(model) == count + 5 * (width + 1)
        assert model(torch.zeros(1, 3, 64, 64))["age"].shape == (1, 3)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_checkpoint_can_name_every_network(architecture: str) -> None:
    with torch.device("meta"):
        assert build(architecture, {"gender": 2}, {}).heads["gender"].out_features == 2


def test_settings_that_a_network_does_not_take_are_told() -> None:
    for settings in ({"width": 4}, {"widths": ["a", "b", "c", "d"]}, {"widths": [4]}):
        with pytest.raises(ValueError, match="face-net cannot be built"):
            build("face-net", {"age": 101}, settings)


@pytest.mark.parametrize(
    ("architecture", "settings", "size"),
    [
        ("celeba-cnn", {}, (178, 218)),
        ("face-net", {"widths": [4, 4, 8, 8]}, (84, 96)),
        ("imdb-wiki-cnn", {}, (32, 32)),
        ("joined-net", {"members": [{"widths": [4, 4, 8, 8]}, {"size": [48, 56]}]}, (84, 96)),
        ("realtime-cnn", {}, (224, 224)),
        ("residual-net", {}, (64, 64)),
        ("vgg-face", {"width": 0.125, "hidden": 16}, (64, 64)),
    ],
)
def test_every_network_names_its_parts_with_maps(architecture: str, settings: dict, size: tuple[int, int]) -> None:
    model = build(architecture, {"gender": 2}, settings).eval()
    maps: dict[str, torch.Size] = {}
    parts = model.layers() | {f"explained {i}": part for i, part in enumerate(model.explained)}
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: maps.update({name: output.shape}))
    model(torch.zeros(1, 3, size[1], size[0]))
    assert maps.keys() == parts.keys()
    for net in {name.partition(", ")[2] for name in model.layers()}:
        areas = [maps[name][2] * maps[name][3] for name in model.layers() if name.endswith(net)]
        assert areas == sorted(areas, reverse=True)
    assert all(len(maps[name]) == 4 and maps[name][2] >= 3 for name in maps if name.startswith("explained"))
