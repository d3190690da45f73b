"""summed_area: the same pictures as torch's adaptive average pooling makes."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from facekit.detect.summed_area import SummedArea


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)


def pooled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, 3) as torch averages an (H, W, 3) image down."""
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    return interpolate(planes, size=(height, width), mode="area")[0].permute(1, 2, 0).numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("size", [(61, 83), (31, 42), (13, 17), (1, 1), (70, 90)])
def test_resize(size: tuple[int, int], image: np.ndarray) -> None:
    canvas = np.zeros((100, 100, 3), np.float32)
    SummedArea(image).resize(canvas[2 : 2 + size[0], 3 : 3 + size[1]])
    assert np.allclose(canvas[2 : 2 + size[0], 3 : 3 + size[1]], pooled(image, *size), atol=1e-3)
    canvas[2 : 2 + size[0], 3 : 3 + size[1]] = 0
    assert not canvas.any()


def test_crops(image: np.ndarray) -> None:
    boxes = torch.tensor([[0, 0, 83, 61], [10, 5, 34, 29], [40, 20, 41, 50], [82, 60, 83, 61]])
    crops = SummedArea(image).crops(boxes, 24).numpy()
    for crop, (left, top, right, bottom) in zip(crops, boxes.tolist(), strict=True):
        assert np.allclose(crop, pooled(image[top:bottom, left:right], 24, 24), atol=1e-3)


def test_crops_are_grey_beyond_the_border(image: np.ndarray) -> None:
    grey = np.full((101, 123, 3), 128, np.uint8)
    grey[20:81, 20:103] = image
    boxes = torch.tensor([[-20, -20, 40, 40], [70, 50, 100, 80], [-15, 30, -5, 40]])
    crops = SummedArea(image).crops(boxes, 24).numpy()
    for crop, (left, top, right, bottom) in zip(crops, (boxes + 20).tolist(), strict=True):
        assert np.allclose(crop, pooled(grey[top:bottom, left:right], 24, 24), atol=0.501)


def test_sums_of_the_largest_picture_fit() -> None:
    image = np.full((2898, 2898, 3), 255, np.uint8)  # 8.4 megapixels, all white
    white = np.zeros((2, 2, 3), np.float32)
    SummedArea(image).resize(white)
    assert np.allclose(white, 255)
