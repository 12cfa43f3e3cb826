"""Decode images, base64 of JPEG, PNG or WebP, to pixels and tensors.

Only this module imports Pillow.

The format, the size and the pixel mode are checked in the header, before any pixel is decoded.
"""

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError, features

from app import errors
from app.inference.base64_text import decode_base64
from app.models.graph_spec import Preprocessing

log = logging.getLogger(__name__)

MAX_SIDE = 20_000  # pixels, because scaling a long and narrow image takes much memory
Pixels = npt.NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # only warns; `decode` has a limit of its own
PngImagePlugin.MAX_TEXT_MEMORY = 4_000_000  # bytes of text and profiles, decompressed

_FORMATS = ("JPEG", "PNG", "WEBP") if features.check("webp") else ("JPEG", "PNG")
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_TURNS = {  # by EXIF's number of the orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_DEPTH = 24  # the offset of a PNG's bits per channel
_warnings_lock = threading.Lock()


def decode(image: str, wanted: Preprocessing, max_pixels: int, field: str = "image_data") -> Pixels:
    """Return an image as RGB pixels [height, width, 3] of the size in `wanted`.

    Transparent pixels become white, grey ones RGB, and an EXIF orientation is applied. Raises
    `errors.Invalid`, and `TooLarge` for more than `max_pixels`, both for the field `field`.
    """
    file = decode_base64(image, field)
    if not file:
        raise errors.Invalid(field, "empty")
    opened, turn = _open(file, max_pixels, field)
    try:
        return _resized(_rgb(opened), turn, wanted)
    except Exception as error:  # noqa: BLE001  Pillow's errors have no common base class
        log.debug("%s is a broken image: %r", field, error)
        raise errors.Invalid(field, "the image is broken, or it was cut off") from None


def tensor(
    pixels: Pixels, wanted: Preprocessing, dtype: type[np.generic] = np.float32
) -> npt.NDArray[Any]:
    """Return RGB images [images, height, width, 3] as the model's input tensor.

    It has 4 dimensions, in the layout that `wanted` names. A tensor of uint8 holds the pixels as
    they are, from 0 to 255.
    """
    if wanted.channels == "BGR":  # before `mean` and `std`, which follow the order of the channels
        pixels = pixels[..., ::-1]
    values: npt.NDArray[Any] = pixels
    if dtype is not np.uint8:
        mean, std = np.array(wanted.mean, np.float32), np.array(wanted.std, np.float32)
        values = ((pixels / np.float32(255) - mean) / std).astype(dtype, copy=False)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if wanted.layout == "NCHW" else values)


def _open(file: bytes, max_pixels: int, field: str) -> tuple[Image.Image, int]:
    """Read and check the header; return the image, not decoded yet, and its EXIF orientation."""
    with _ignored_warnings():
        try:
            opened = Image.open(io.BytesIO(file), formats=_FORMATS)
            turn = _orientation(opened) if "exif" in opened.info else 1
        except UnidentifiedImageError:
            raise errors.Invalid(
                field, f"none of {', '.join(_FORMATS)}, or its header is broken"
            ) from None
        except Exception as error:  # noqa: BLE001  see `decode`
            log.debug("%s has a broken header: %r", field, error)
            raise errors.Invalid(field, "its header is broken") from None
    width, height = opened.size
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise errors.TooLarge(
            field,
            f"{width} x {height} pixels are more than {max_pixels:,}, or {MAX_SIDE:,} a side",
            limit=max_pixels,
        )
    if opened.format != "JPEG" and getattr(opened, "is_animated", False):
        raise errors.Invalid(field, "the image is animated")
    if opened.mode not in _MODES or (opened.format == "PNG" and file[_PNG_DEPTH] == 16):
        mode = "16 bits a channel" if opened.format == "PNG" else opened.mode
        raise errors.Invalid(
            field, f"its pixels are {mode}; send grey or RGB with 8 bits a channel"
        )
    return opened, turn


def _orientation(opened: Image.Image) -> int:
    """Return EXIF's number of the orientation, 1 (upright) if it cannot be read."""
    try:
        turn = opened.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001  see `decode`
        return 1
    return turn if isinstance(turn, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    """Decode the image to RGB, transparent pixels on white."""
    image.load()
    if not image.has_transparency_data:
        return image.convert("RGB")
    above = image.convert("RGBA")
    below = Image.new("RGB", image.size, "white")
    below.paste(above, mask=above.getchannel("A"))
    return below


def _resized(image: Image.Image, turn: int, wanted: Preprocessing) -> Pixels:
    """Apply the orientation, scale the image and crop it."""
    if turn in _TURNS:
        image = image.transpose(_TURNS[turn])
    height, width = wanted.size
    box = None
    if wanted.resize is not None:
        # Crop first, then scale: a narrow image that is scaled as a whole could become huge.
        short = min(image.size)
        scaled = [int(wanted.resize * side / short) for side in image.size]
        box = _center_box(image.size, scaled, (width, height))
    resized = image.resize((width, height), _FILTERS[wanted.interpolation], box)
    return np.asarray(resized)


def _center_box(
    size: tuple[int, int], scaled: list[int], wanted: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return the box of an image that becomes the center, of size `wanted`, of the scaled one."""
    ends: list[tuple[float, float]] = []
    for side, long, cut in zip(size, scaled, wanted, strict=True):
        begin = round((long - cut) / 2)
        ends.append((begin * side / long, min((begin + cut) * side / long, float(side))))
    (left, right), (top, bottom) = ends
    return left, top, right, bottom


@contextmanager
def _ignored_warnings() -> Iterator[None]:
    """Ignore Pillow's warnings one thread at a time, because `warnings` is global."""
    with _warnings_lock, warnings.catch_warnings(action="ignore"):
        yield
