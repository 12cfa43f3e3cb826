"""From base64 to pixels: JPEG and PNG. The only module that knows Pillow.

What came from outside is looked at before it is decoded: its format, its size, its pixels' kind.
"""

import base64
import binascii
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from app import errors
from app.models.manifest import Preprocessing

MAX_SIDE = 20_000  # pixels: scaling a long and narrow image takes memory in between
Pixels = npt.NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # `decode` has a limit of its own, and this one only warns
PngImagePlugin.MAX_TEXT_MEMORY = 4_000_000  # bytes of text and profiles, unpacked

_FORMATS = ("JPEG", "PNG")
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_TURNS = {  # of EXIF's orientations
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_DEPTH = 24  # where a PNG says how many bits a channel has
_quiet_lock = threading.Lock()


def decode(image: str, wanted: Preprocessing, max_pixels: int, field: str = "image_data") -> Pixels:
    """Return an image as the model sees it, RGB [H, W, 3], before its numbers are scaled.

    Transparent pixels become white, grey ones RGB, and an EXIF orientation is applied. Raises
    `errors.Invalid`, and `TooLarge` for more than `max_pixels`, both with `field`.
    """
    try:
        file = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.Invalid(field, f"not base64: {error}") from None
    if not file:
        raise errors.Invalid(field, "empty")
    opened, turn = _open(file, max_pixels, field)
    try:
        return _shaped(_rgb(opened), turn, wanted)
    except Exception as error:  # noqa: BLE001  Pillow's own classes share no base but this
        raise errors.Invalid(field, f"it is broken: {error}") from None


def tensor(pixels: Pixels, wanted: Preprocessing) -> npt.NDArray[np.float32]:
    """Return images [N, H, W, 3] as the float32 tensor that the model takes."""
    if wanted.channels == "BGR":  # `mean` and `std` are in the order of the channels
        pixels = pixels[..., ::-1]
    mean, std = np.array(wanted.mean, np.float32), np.array(wanted.std, np.float32)
    values = (pixels / np.float32(255) - mean) / std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if wanted.layout == "NCHW" else values)


def _open(file: bytes, max_pixels: int, field: str) -> tuple[Image.Image, int]:
    """Read the header; return the image, of which nothing is decoded, and its orientation."""
    with _quiet():
        try:
            opened = Image.open(io.BytesIO(file), formats=_FORMATS)
            turn = _orientation(opened) if "exif" in opened.info else 1
        except UnidentifiedImageError:
            raise errors.Invalid(
                field, "neither a JPEG nor a PNG, or its header is broken"
            ) from None
        except Exception as error:  # noqa: BLE001  as above
            raise errors.Invalid(field, f"its header is broken: {error}") from None
    width, height = opened.size
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise errors.TooLarge(
            field,
            f"{width} x {height} pixels are more than {max_pixels:,}, or than {MAX_SIDE:,} a side",
            limit=max_pixels,
        )
    if opened.format == "PNG" and getattr(opened, "is_animated", False):
        raise errors.Invalid(field, "it is animated")
    if opened.mode not in _MODES or (opened.format == "PNG" and file[_PNG_DEPTH] == 16):
        mode = "16 bits a channel" if opened.format == "PNG" else opened.mode
        raise errors.Invalid(
            field, f"its pixels are {mode}; send grey or RGB with 8 bits a channel"
        )
    return opened, turn


def _orientation(opened: Image.Image) -> int:
    """Return EXIF's number for how to turn the image; 1, not at all, if that cannot be read."""
    try:
        turn = opened.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001  as above
        return 1
    return turn if isinstance(turn, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    """Decode; return the image as RGB, transparent pixels on white."""
    image.load()
    if not image.has_transparency_data:
        return image.convert("RGB")
    above = image.convert("RGBA")
    below = Image.new("RGB", image.size, "white")
    below.paste(above, mask=above.getchannel("A"))
    return below


def _shaped(image: Image.Image, turn: int, wanted: Preprocessing) -> Pixels:
    """Turn, scale and cut."""
    if turn in _TURNS:
        image = image.transpose(_TURNS[turn])
    height, width = wanted.size
    box = None
    if wanted.resize is not None:
        # As if the whole were scaled and its middle cut out; but then a narrow one could be huge.
        short = min(image.size)
        scaled = [int(wanted.resize * side / short) for side in image.size]
        box = _middle(image.size, scaled, (width, height))
    resized = image.resize((width, height), _FILTERS[wanted.interpolation], box)
    return np.asarray(resized)


def _middle(
    size: tuple[int, int], scaled: list[int], wanted: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return the part of an image that is the middle, of size `wanted`, once it is `scaled`."""
    ends: list[tuple[float, float]] = []
    for side, long, cut in zip(size, scaled, wanted, strict=True):
        begin = round((long - cut) / 2)
        ends.append((begin * side / long, min((begin + cut) * side / long, float(side))))
    (left, right), (top, bottom) = ends
    return left, top, right, bottom


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore what Pillow warns of in a header; `warnings` is not made for threads."""
    with _quiet_lock, warnings.catch_warnings(action="ignore"):
        yield
