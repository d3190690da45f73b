"""images: every kind of picture becomes upright RGB; everything else gets one sentence."""

import contextlib
import io
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from facekit import images
from facekit.errors import ImageError, ImageTooLarge, UnreadableImage
from facekit.images import MAX_BYTES, MAX_PIXELS, read_image

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def flag() -> Image.Image:
    """40 wide, 20 high, the top left quarter red, the rest green."""
    image = Image.new("RGB", (40, 20), GREEN)
    image.paste(RED, (0, 0, 20, 10))
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, bits: int = 1, colour: int = 0) -> bytes:
    """A PNG of zeros, made a row at a time."""
    packer, row = zlib.compressobj(1), bytes(1 + (width * bits + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_chunks(data: bytes, *chunks: bytes, end: bool = False) -> bytes:
    """A PNG with more parts behind its header, or before its end."""
    at = len(data) - 12 if end else 33
    return data[:at] + b"".join(chunks) + data[at:]


def complaint(source: Any, kind: type[ImageError] = UnreadableImage) -> str:
    """The message, which must be one sentence."""
    with pytest.raises(kind) as caught:
        read_image(source)
    message = str(caught.value)
    assert message.endswith("."), message
    assert "\n" not in message, message
    assert ". " not in message, message
    return message


def is_upright_rgb(pixels: np.ndarray) -> bool:
    return pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.flags.c_contiguous


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "JPEG2000"])
def test_formats(format: str) -> None:
    pixels = read_image(encoded(flag(), format, **({"lossless": True} if format == "WEBP" else {})))
    assert is_upright_rgb(pixels)
    assert (pixels == np.asarray(flag())).all()


def test_phone_photo_with_a_second_picture_inside() -> None:
    pixels = read_image(encoded(flag(), "MPO", save_all=True, append_images=[Image.new("RGB", (40, 20))]))
    assert np.abs(pixels[:8, :16].astype(int) - RED).max() < 30


def test_sources_agree(tmp_path: Path) -> None:
    path = tmp_path / "flag.png"
    flag().save(path)
    for source in (path, str(path), path.read_bytes(), flag(), np.asarray(flag()), Image.open(path)):
        assert (read_image(source) == np.asarray(flag())).all()
    assert (read_image(bytearray(path.read_bytes())) == np.asarray(flag())).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    turns = images._TURNS
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}.get(orientation, turns.get(orientation))
    stored = flag() if undo is None else flag().transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_image(encoded(stored, "PNG", exif=exif))
    assert (pixels == np.asarray(flag())).all()
    assert read_image(encoded(stored, "JPEG", exif=exif)).shape == (20, 40, 3)


def test_broken_exif_keeps_the_picture() -> None:
    assert read_image(encoded(flag(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")).shape == (20, 40, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_opaque_modes(mode: str) -> None:
    pixels = read_image(flag().convert(mode) if mode != "LAB" else Image.new("LAB", (40, 20)))
    assert is_upright_rgb(pixels)
    assert pixels.shape == (20, 40, 3)


def test_cmyk_jpeg_keeps_its_colours() -> None:
    pixels = read_image(encoded(Image.new("RGB", (16, 16), RED).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(pixels.astype(int) - RED).max() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La"])
def test_transparency_is_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (read_image((image.convert("LA") if mode == "La" else image).convert(mode)) == 255).all()


def test_half_transparent() -> None:
    assert np.abs(read_image(Image.new("RGBA", (2, 2), (255, 0, 0, 128))).astype(int) - (255, 127, 127)).max() <= 1


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colour(mode: str) -> None:
    image = Image.new(mode, (4, 4), 0)
    data = encoded(image, transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert (read_image(data) == 255).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(format: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    pixels = read_image(encoded(Image.fromarray(ramp), format))
    assert is_upright_rgb(pixels)
    assert np.abs(pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.float32), [0, 128, 255]),
        (np.array([[-5, np.nan, 1]], np.float32), [0, 0, 255]),
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 500_000, 1_000_000]], np.int32), [0, 128, 255]),
        (np.array([[0, 0, 0]], np.int32), [0, 0, 0]),
    ],
)
def test_wide_greys(values: np.ndarray, expected: list[int]) -> None:
    assert np.abs(read_image(Image.fromarray(values))[0, :, 0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    frames = [Image.new("RGB", (40, 20), GREEN)] * 2
    data = encoded(flag(), format, save_all=True, append_images=frames, **options)
    assert (read_image(data) == np.asarray(flag())).all()


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (6, 5, 4)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64", "float16", "bool"])
def test_arrays(shape: tuple[int, ...], kind: str) -> None:
    white = {"uint8": 255, "uint16": 65535}.get(kind, 1)
    pixels = read_image(np.full(shape, white, kind))
    assert is_upright_rgb(pixels)
    assert pixels.shape == (6, 5, 3)
    assert (pixels == 255).all()


def test_array_views_become_contiguous() -> None:
    array = np.zeros((6, 5, 3), np.uint8)[:, ::-1]
    assert is_upright_rgb(read_image(array))


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((2, 2), np.int64), "uint8"),
        (np.full((2, 2), 255.0), "[0, 1]"),
        (np.full((2, 2), np.nan), "[0, 1]"),
        (np.zeros((2, 2, 2), np.uint8), "shape"),
        (np.zeros((1, 2, 2, 3), np.uint8), "shape"),
        (np.zeros(4, np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, word: str) -> None:
    assert word in complaint(array)


@pytest.mark.parametrize("source", [None, 3, io.BytesIO(b"x"), [[0, 0], [0, 0]]])
def test_what_is_no_picture_at_all(source: Any) -> None:
    assert type(source).__name__ in complaint(source)


def test_tensors_are_no_pictures() -> None:
    torch = pytest.importorskip("torch")
    assert complaint(torch.zeros(3, 4, 4)).startswith("torch.Tensor is no picture")


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize(
    ("kind", "head"), [(b"zTXt", b"workflow\0\0"), (b"iTXt", b"workflow\0\1\0\0\0"), (b"iCCP", b"profile\0\0")]
)
def test_large_notes_in_a_png_are_passed_over(kind: bytes, head: bytes, end: bool) -> None:
    note = chunk(kind, head + zlib.compress(bytes(9_000_000)))
    assert (read_image(with_chunks(encoded(flag()), note, end=end)) == np.asarray(flag())).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(with_chunks(encoded(flag(), exif=exif), note, end=end)).shape == (40, 20, 3)


def test_a_damaged_png_with_notes_is_still_told() -> None:
    whole = with_chunks(encoded(flag()), chunk(b"tEXt", b"key\0words"))
    assert "damaged" in complaint(whole[:-40])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_browsers_pass_over_the_orientation_of_webp(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert images.shown_otherwise(encoded(flag(), "WEBP", exif=exif)) == (orientation > 1)
    assert not images.shown_otherwise(encoded(flag(), "JPEG", exif=exif))
    assert not images.shown_otherwise(encoded(flag(), "PNG", exif=exif))


@pytest.mark.parametrize(
    ("form", "options"), [("GIF", {}), ("WEBP", {}), ("PNG", {}), ("PNG", {"default_image": True})]
)
def test_browsers_play_what_is_animated(form: str, options: dict[str, bool]) -> None:
    other = Image.new("RGB", (40, 20), GREEN)
    assert images.shown_otherwise(encoded(flag(), form, save_all=True, append_images=[other, other], **options))
    assert not images.shown_otherwise(encoded(flag(), form))
    assert not images.shown_otherwise(b"no picture")


def test_one_pixel() -> None:
    assert read_image(encoded(Image.new("RGB", (1, 1), RED))).tolist() == [[list(RED)]]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"not a picture at all", "not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(99), "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(99), "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42" + bytes(99), "video"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
    ],
)
def test_not_a_picture(data: bytes, word: str, tmp_path: Path) -> None:
    message = complaint(data)
    assert word in message
    assert word == "empty" or "JPEG or PNG" in message
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    assert word in complaint(path)
    assert "photo.jpg" in complaint(path)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated(format: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(noise, format)
    assert "JPEG or PNG" in complaint(data[: int(len(data) * share)])


def test_damaged_bytes_never_escape_as_other_errors() -> None:
    random = np.random.default_rng(0)
    for format in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        whole = np.frombuffer(encoded(flag(), format), np.uint8)
        for _ in range(40):
            data = whole.copy()
            data[random.integers(0, len(data), 8)] = random.integers(0, 256, 8)
            with contextlib.suppress(ImageError):
                assert is_upright_rgb(read_image(data.tobytes()))


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "flag.jpg"
    path.write_bytes(encoded(flag()))
    assert (read_image(path) == np.asarray(flag())).all()


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "folder" in complaint(tmp_path)
    assert "no file" in complaint(tmp_path / "missing.jpg")
    assert "cannot be read" in complaint("null\0byte.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a file" in complaint(tmp_path / "pipe.jpg")


def test_too_many_bytes_is_found_without_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: takes no room
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened"))
    assert "MB" in complaint(path, ImageTooLarge)
    assert "MB" in complaint(bytes(MAX_BYTES + 1), ImageTooLarge)


@pytest.mark.parametrize(("side", "bits", "colour"), [(13_000, 1, 0), (13_000, 8, 0), (20_000, 1, 0)])
def test_bomb_is_refused_from_its_header(side: int, bits: int, colour: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(side, side, bits=bits, colour=colour)
    assert len(data) < 2_000_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("the bomb was decoded"))
    start = time.perf_counter()
    assert "megapixels" in complaint(data, ImageTooLarge)
    assert time.perf_counter() - start < 0.5


def test_largest_picture_is_read() -> None:
    side = int(MAX_PIXELS**0.5)
    assert read_image(png(side, side // 8)).shape == (side // 8, side, 3)
    assert "megapixels" in complaint(png(side + 1, side + 1), ImageTooLarge)
    assert "megapixels" in complaint(np.zeros((side + 1, side + 1), bool), ImageTooLarge)
