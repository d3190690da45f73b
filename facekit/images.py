"""Upload, path, array or PIL image to upright RGB, safely: the limits are checked in the header, before decoding."""

import io
import os
import stat
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facekit.errors import ImageTooLarge, UnreadableImage

MAX_BYTES: Final = 30_000_000
"""The largest file that is read, in bytes."""

MAX_PIXELS: Final = 50_000_000
"""The largest picture that is decoded, in pixels."""

SUFFIXES: Final = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".ppm", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
"""What files in a folder have to end in to be taken for pictures; inside a file, the content decides. HEIC cannot be
decoded here: its files are named so that they are told of, not passed over."""

_FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"]  # no EPS: it runs a program
_ADVICE = "save it as JPEG or PNG and try again"
_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(source: str | os.PathLike[str] | bytes | bytearray | NDArray[Any] | Image.Image) -> NDArray[np.uint8]:
    """One picture as it is meant to be seen: turned by its EXIF orientation, the first frame, transparency over white.

    Args:
        source: a path, a file's bytes, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of
            uint8, uint16, bool, or float in [0, 1].

    Returns:
        (H, W, 3) uint8 RGB, contiguous. A uint8 RGB array that is contiguous already is returned as it is.

    Raises:
        UnreadableImage: missing, empty, truncated, not a picture, or a format, shape or type that is not read here.
        ImageTooLarge: more than `MAX_BYTES` bytes or `MAX_PIXELS` pixels.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "the picture")
    if isinstance(source, bytes | bytearray):
        data, name = bytes(source), "the picture"
    elif isinstance(source, str | os.PathLike):
        data, name = _read_file(Path(source))
    else:
        kind = f"{type(source).__module__}.{type(source).__name__}".removeprefix("builtins.")
        raise UnreadableImage(f"{kind} is no picture: give a path, a file's bytes, a PIL image or a NumPy array.")
    _check_bytes(len(data), name)
    try:
        return _read_bytes(data, name)
    except UnreadableImage:
        lean = _without_notes(data)
        if lean == data:
            raise
        return _read_bytes(lean, name)


def shown_otherwise(data: bytes) -> bool:
    """Whether browsers show a file otherwise than `read_image` reads it.

    They play what is animated, of which only the first picture is read, and Chromium passes over the orientation of a
    WebP file. False for what cannot be read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["GIF", "PNG", "WEBP"]) as image:
            turned = image.format == "WEBP" and _orientation(image) in _TURNS
            return turned or bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged header can raise anything
        return False


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels that a file says a picture has, before it is turned; (0, 0) if it cannot be read."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.size
    except Exception:  # a damaged header can raise anything
        return 0, 0


def _read_bytes(data: bytes, name: str) -> NDArray[np.uint8]:
    """A picture file to upright RGB."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return _decode(image, name)
    except (UnreadableImage, ImageTooLarge):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageTooLarge(_too_many_pixels(name)) from None
    except UnidentifiedImageError:
        raise UnreadableImage(_sentence(f"{name} {_kind(data)}: {_ADVICE}.")) from None
    except Exception as error:  # a damaged header can raise anything
        raise UnreadableImage(_sentence(f"{name} is damaged: {_ADVICE}.")) from error


def _without_notes(data: bytes) -> bytes:
    """A PNG without its texts and colour profile, which say nothing about its pixels and may be more than Pillow takes.

    Anything else is returned as it is.
    """
    parts, at = [data[:8]], 8
    if parts != [b"\x89PNG\r\n\x1a\n"]:
        return data
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"iCCP"):
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def _read_file(path: Path) -> tuple[bytes, str]:
    """The bytes of a file that is not too large, and its name for messages."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableImage(f"{path} is a folder: name a picture in it.")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage(f"{path} is not a file: name a picture.")
        _check_bytes(status.st_size, path.name)
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1), path.name
    except FileNotFoundError:
        raise UnreadableImage(f"There is no file {path}: check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise UnreadableImage(f"{path} cannot be read ({reason}): check the path and its permissions.") from None


def _check_bytes(size: int, name: str) -> None:
    if size > MAX_BYTES:
        limit = f"{MAX_BYTES / 1e6:.0f} MB"
        raise ImageTooLarge(_sentence(f"{name} has {size / 1e6:.1f} MB: make it smaller than {limit} and try again."))
    if size == 0:
        raise UnreadableImage(_sentence(f"{name} is empty: choose another file."))


def _check_pixels(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise ImageTooLarge(_too_many_pixels(name, f"{width} x {height} pixels"))
    if width * height == 0:
        raise UnreadableImage(_sentence(f"{name} has no pixels: choose another one."))


def _too_many_pixels(name: str, size: str = "too many pixels") -> str:
    return _sentence(f"{name} has {size}: make it smaller than {MAX_PIXELS / 1e6:.0f} megapixels and try again.")


def _decode(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """A PIL image, perhaps not yet decoded, to upright RGB."""
    _check_pixels(*image.size, name)
    try:
        image.load()
        turn = _TURNS.get(_orientation(image))
        return _rgb(image.transpose(turn) if turn is not None else image)
    except Exception as error:  # Pillow's decoders raise anything from OSError to struct.error on damaged files
        raise UnreadableImage(_sentence(f"{name} is damaged or cut short: {_ADVICE}.")) from error


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or the EXIF block is broken (the pixels may still be whole)."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken block can raise anything
        return 1


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3) of a decoded PIL image of any mode."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _three_channels(_eight_bit_grey(np.asarray(image), sixteen=image.mode != "I" and image.mode != "F"))
    if image.mode == "La":  # Pillow converts it to nothing else
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _eight_bit_grey(values: NDArray[Any], *, sixteen: bool) -> NDArray[np.uint8]:
    """(H, W) greys of more than 8 bits to uint8: white is 65535 where known, else the nearest usual white above."""
    values = np.nan_to_num(values.astype(np.float32)).clip(0)
    top = float(values.max())
    usual = (65535,) if sixteen else (1, 255, 65535)
    white = next((white for white in usual if top <= white), top)
    return (values * (255 / white) + 0.5).astype(np.uint8)


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W[, C]) of uint8, uint16, bool or float in [0, 1] to (H, W, 3) uint8."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise UnreadableImage(
            f"An array of shape {array.shape} is not a picture: give (H, W), (H, W, 3) RGB or (H, W, 4) RGBA."
        )
    _check_pixels(array.shape[1], array.shape[0], "the array")
    values = _eight_bits(array)
    if values.ndim == 3 and values.shape[2] == 4:
        return _rgb(Image.fromarray(values))
    return _three_channels(values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values)


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "f":
        raise UnreadableImage(f"An array of {array.dtype} is not a picture: convert it with .astype(np.uint8).")
    if not (array.min() >= -1e-3 and array.max() <= 1 + 1e-3):  # not NaN either
        raise UnreadableImage("A float array must hold values in [0, 1]: divide it by its white, often 255.")
    return (array.astype(np.float32).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _three_channels(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) to contiguous (H, W, 3)."""
    return np.ascontiguousarray(values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2))


def _kind(data: bytes) -> str:
    """What bytes that are not a picture we decode seem to be: the predicate of a sentence."""
    head = data[:1024]
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis"):
        return "is an AVIF picture, which cannot be decoded here"
    if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"):
        return "is a HEIC picture, which cannot be decoded here"
    if brand:
        return "is a video, not a picture"
    if head.startswith(b"%PDF"):
        return "is a PDF document, not a picture"
    if b"<svg" in head:
        return "is an SVG drawing, not a photo"
    return "is not a picture that can be read here"


def _sentence(text: str) -> str:
    """With a capital where it starts with our own word (file names stay as they are)."""
    return text[0].upper() + text[1:] if text.startswith("the ") else text
