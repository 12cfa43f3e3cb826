"""Bodies of the calls that ask models: one or many, now or as a job, about rows or images."""

import base64
import struct
import zlib
from random import Random
from typing import Any

from devstack.demo import ROW
from tests.fuzz.bodies import CANARY, PLAIN, body, damage
from tests.support import tiny

SUMS, COLOURS, ECHO = "sums", "colours", "echo"  # models that are always there, beside the canary
KNOWN = (CANARY, SUMS, COLOURS, ECHO)
NAMES = (CANARY, *KNOWN, "latest", "nobody")

Json = Any


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Write a part of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(width: int, height: int, bits: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    """Write a PNG that is whole but for its pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


GOOD = [
    *(tiny.image(), tiny.image((0, 255, 0), "JPEG"), tiny.image((0, 0, 255), side=100)),
    tiny.image((0, 255, 0), "WEBP"),
]
ODD = [
    *(png(1, 1), png(0, 0), png(2**31 - 1, 2**31 - 1), png(30_000, 1), png(5000, 5000)),
    *(png(4, 4, bits=16), png(4, 4, colour=3), png(4, 4, pixels=b"\0" * 10_000_000)),
    *(b"", b"GIF89a" + b"\0" * 20, b"<svg/>", b"BM" + b"\0" * 50, b"\xff\xd8\xff\xe0" + b"\0" * 50),
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9", b"%PDF-1.4", b"MM\0*" + b"\0" * 20),
    GOOD[0].replace(b"IDAT", b"tEXt" + b"a" * 1000),
]


def image(rng: Random) -> bytes:
    """Return an image, or what once was one."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(GOOD)
    return damage(rng, rng.choice(GOOD)) if kind < 0.7 else rng.choice(ODD)


def inputs(rng: Random) -> tuple[tuple[str, ...], dict[str, Json]]:
    """Return a body with rows or images, and the models that can answer it, or all others."""
    kind = rng.choice(("diabetes", "diabetes", "sum", "image"))
    if kind == "image":
        names: tuple[str, ...] = (COLOURS, ECHO)
        one: Json = base64_of(image(rng))
        if rng.random() < 0.2:
            one = rng.choice(
                (
                    *(one[:-1], one + "\n", " " + one, "data:image/png," + one, "", "*", "data:,"),
                    *("data:image/png;base64," + one, "\r\n".join(one), one.rstrip("=")),
                    *(one.replace("+", "-").replace("/", "_"), "\u00a0" + one, one + "===="),
                )
            )
    elif kind == "sum":
        names = (SUMS, ECHO)
        one = {"a": 1.5, "b": rng.choice(PLAIN) if rng.random() < 0.5 else 2}
    else:
        names, one = (CANARY, "latest", ECHO), ROW
    many = one if rng.random() < 0.7 else [one] * rng.choice((1, 2, 20, 64, 65))
    asked = {"image_data" if kind == "image" else "input_data": many}
    if rng.random() < 0.15:
        asked["extra"] = rng.choice(("ignore", "ignore", None, "allow", 1))
    if kind == "sum" and rng.random() < 0.1:
        one["more"] = rng.choice(PLAIN)
    return names if rng.random() < 0.8 else NAMES, asked


def parallel(rng: Random) -> bytes:
    """Return the body of a call of many models."""
    known, asked = inputs(rng)
    names = [rng.choice(known) for _ in range(rng.choice((1, 2, 3, 3, 8, 33)))]
    seed = {"model_ids": names, **asked}
    if rng.random() < 0.6:
        seed["combine"] = rng.choice(("mean", "vote", "max_proba"))
    if rng.random() < 0.1:
        seed["seconds"] = rng.choice((1e-9, 0.5, 30, 3600))
    return body(rng, seed, 0.5)


def sync_async(rng: Random) -> bytes:
    """Return the body of a call of a fast model and a slow one."""
    known, asked = inputs(rng)
    seed = {"sync_model_id": rng.choice(known), "async_model_id": rng.choice(known), **asked}
    if rng.random() < 0.3:
        seed["tolerance"] = rng.choice((0, 0.1, 1e308))
    return body(rng, seed, 0.5)


def one(rng: Random) -> bytes:
    """Return the body of a prediction of one model, of any kind."""
    known, asked = inputs(rng)
    return body(rng, {"model_id": rng.choice(known), **asked}, 0.5)


def doorbell(rng: Random) -> bytes:
    """Return the message of a prediction that is a job: of one that is none, mostly."""
    return body(rng, {"job_id": job(rng)}, 0.3)


def job(rng: Random) -> str:
    """Return an id that no prediction job has."""
    return rng.choice((CANARY, SUMS, ECHO, "nobody", "7" * 32, "a\0b"))
