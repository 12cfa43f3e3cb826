"""Images as requests have them: files in base64. Neither Pillow nor numpy is imported."""

import base64
import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warren_client.errors import Unsendable

MAX_IMAGES = 64  # of a request
MAX_BYTES = 3_000_000  # of base64 in a request; a server takes 4 MB, unless MAX_BODY differs
_CHANNELS = {1: 0, 2: 4, 3: 2, 4: 6}  # a PNG's number of grey, grey and alpha, RGB, RGB and alpha
_PNG_MODES = ("L", "LA", "P", "RGB", "RGBA")  # of Pillow, that a PNG holds with 8 bits
_GOOD = (
    "the path of an image, its bytes, an image of Pillow, or an array of uint8, height x width or "
    "height x width x 3"
)


@dataclass(frozen=True)
class Images:
    """Images to predict for; each is read and encoded when its request is made.

    `asked` is what they were made of. `single` says that it was one image, `indexed` that it was a
    Series of pandas.
    """

    asked: Any
    data: Sequence[Any]
    single: bool = False
    indexed: bool = False

    def part(self, begin: int, most: int) -> tuple[int, dict[str, Any]]:
        """Return how many of the images are in a request, and the member that holds them.

        Raises `Unsendable`, and `OSError` for a file that cannot be read.
        """
        encoded: list[str] = []
        room = MAX_BYTES
        for image in self.data[begin : begin + min(most, MAX_IMAGES)]:
            text = _encoded(image)
            room -= len(text)
            if encoded and room < 0:
                break
            encoded.append(text)
        return len(encoded), {"image_data": encoded}


def is_image(value: object) -> bool:
    """Tell whether something can only be an image: bytes, a path, or an image of Pillow."""
    return isinstance(value, bytes | bytearray | Path) or _is_pillow(value)


def images_of(asked: Any) -> Images:
    """Return an image, or several, as images of requests. Raises `Unsendable`.

    Several are a list, a Series of pandas, or an array with a dimension more.
    """
    if is_image(asked) or isinstance(asked, str) or _dimensions(asked) in (2, 3):
        return Images(asked, [asked], single=True)
    if isinstance(asked, dict) or hasattr(asked, "columns") or not isinstance(asked, Iterable):
        raise Unsendable(f"the model takes images; give {_GOOD}, or a list of such")
    return Images(asked, list(asked), indexed=hasattr(asked, "to_dict"))


def _encoded(image: Any) -> str:
    if isinstance(image, str) and image.startswith("data:"):
        return image
    return base64.b64encode(_file(image)).decode()


def _file(image: Any) -> bytes:
    """Return the bytes of an image file."""
    if isinstance(image, bytes | bytearray):
        return bytes(image)
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    if _is_pillow(image):
        return _of_pillow(image)
    if _dimensions(image) in (2, 3):
        return _of_array(image)
    raise Unsendable(f"a {type(image).__name__} is no image; give {_GOOD}")


def _is_pillow(value: object) -> bool:
    return any(base.__module__ == "PIL.Image" for base in type(value).__mro__)


def _dimensions(value: Any) -> int | None:
    """Return how many dimensions an array of numpy has, or None for anything else."""
    is_array = hasattr(value, "dtype") and hasattr(value, "tobytes")
    return len(value.shape) if is_array else None


def _of_pillow(image: Any) -> bytes:
    """Return a PNG, which is turned as the image is. Its colours are not changed."""
    if image.mode not in _PNG_MODES:
        if image.mode not in ("1", "CMYK", "HSV", "LAB", "PA", "RGBX", "YCbCr"):
            raise Unsendable(
                f"the pixels of the image are {image.mode}; convert('RGB') or scale them to 8 bits"
            )
        image = image.convert("RGBA" if image.mode == "PA" else "RGB")
    file = io.BytesIO()
    image.save(file, "PNG", exif=image.getexif())
    return file.getvalue()


def _of_array(pixels: Any) -> bytes:
    """Return a PNG of an array: height x width, and perhaps channels, from 0 to 255."""
    height, width, *rest = pixels.shape
    channels = rest[0] if rest else 1
    if str(pixels.dtype) != "uint8" or channels not in _CHANNELS or not height or not width:
        shape = " x ".join(map(str, pixels.shape))
        raise Unsendable(
            f"an array of {pixels.dtype}, {shape}, is no image; give numbers of uint8 from 0 to "
            "255, as height x width x 3 in the order RGB, or height x width"
        )
    row = width * channels
    flat = pixels.tobytes()
    lines = b"".join(b"\0" + flat[at : at + row] for at in range(0, len(flat), row))
    head = struct.pack(">IIBBBBB", width, height, 8, _CHANNELS[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
