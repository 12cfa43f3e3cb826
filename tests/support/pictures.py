"""Images in base64: good ones, and some that are made to harm."""

import base64
import io
import struct
import zlib
from typing import Any

from PIL import Image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


WEBP_BOMB = bytes.fromhex(  # 16383 x 16383 pixels, all red
    "524946461c000000574542505650384c0f0000002ffebfff0f0710fd8ffe0722a2ff0100"
)


def encode(file: bytes) -> str:
    return base64.b64encode(file).decode()


def image(
    colour: Any = RED,
    size: tuple[int, int] = (16, 12),
    mode: str = "RGB",
    kind: str = "PNG",
    **more: Any,
) -> str:
    """One colour, width x height."""
    return saved(Image.new(mode, size, colour), kind, **more)


def saved(picture: Image.Image, kind: str = "PNG", **more: Any) -> str:
    return encode(file(picture, kind, **more))


def file(picture: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **more)
    return written.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *between: bytes, data: bytes = b"", depth: int = 8) -> bytes:
    """A PNG with any header, and some chunks between that and its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(between) + pixels + chunk(b"IEND", b"")


def bomb() -> str:
    """A kilobyte that says it has 900 million pixels."""
    return encode(png(30_000, 30_000, data=bytes(700_000)))


def animated(kind: str = "PNG") -> str:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def texts(count: int = 30) -> str:
    """Many chunks of text, small when packed."""
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000)))
    return encode(png(1, 1, *[text] * count, data=bytes(4)))
