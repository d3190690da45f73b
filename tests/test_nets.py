import pytest
import torch

from facekit.nets import FaceNet

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
