"""JSON bodies, from valid through nearly valid to none at all.

Everything here is a function of the random generator it is given: a seed and the number of a case
name its bytes.
"""

import copy
import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any

from app.protocol.types import MAX_ROWS
from devstack.demo import ROW, TRAIN

CANARY = "canary"  # the model that is always there
NOWHERE = "nowhere"  # the data set that never is: a fit on it ends where it would begin

Json = Any


class Text(str):
    """What stands in a body as it is, valid or not."""

    __slots__ = ()


class Pairs(list[tuple[Any, Any]]):
    """An object that may have a key twice."""


def write(value: Json) -> str:
    """Write JSON, and what only looks like it."""
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{write(key)}:{write(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


IDS = [
    *("", ".", "..", "../x", "../../../../etc/passwd", "a/b", "a..b", ".a", "-a", "a b", "a\\b"),
    *("a\n", "a\0b", "\u00fc", "\u202ea", "\U0001f600", "a" * 128, "a" * 129, "a" * 5000, "a."),
    *("%2e%2e", "a%00", "nobody", "latest", "LATEST", "null", "0", "CON", "a;drop", "'", "${x}"),
    *(CANARY, "diabetes", NOWHERE, "_a", "~", "*", "a?b", "a#b", "//a", "\u0130", "a\u0301"),
]

PLAIN: list[Json] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 2**64, 10**30, -(10**30), 10**400),
    *(0.0, -0.0, 0.2, 1.5, 1e-320, 1e308, -1e308, "", "a", "0.1", "1e5", "true", "NaN", [], {}),
    *([[]], [None], [{}], {"": 0}, {"a": {"b": []}}, {"$ref": "#"}, {"__proto__": {}}, ["a"] * 300),
    *("\0", "\ufeff", "\ufffe", "a" * 256, "a" * 257, "\U0001f600" * 64, "<script>", "${jndi:x}"),
]

BROKEN = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "-" + "9" * 4299, "1" * 4300),
    *("00", "1.", ".5", "+1", "0x10", "1_0", "1e", "--1", "1 2", "", ",", "}", "]", "undefined"),
    *("tru", "None", "'a'", '"a', '"\\x"', '"\\u12"', '"\t"', '"\n"', "/**/1", '"\\ud800"'),
    *('"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\udfff"', "0." + "3" * 5000),
    *("[" * depth + "]" * depth for depth in (62, 63, 64, 65, 66, 1000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (62, 63, 64, 65, 66, 1000)),
    *("[" * 50_000, '{"a":' * 5000, "[1," * 5000 + "1" + "]" * 5000, '"' + "a" * 70_000 + '"'),
]


def hostile(rng: Random) -> Json:
    """Return a value that somebody forgot to think of."""
    kind = rng.random()
    if kind < 0.5:
        return copy.deepcopy(rng.choice(PLAIN))
    if kind < 0.8:
        return Text(rng.choice(BROKEN))
    if kind < 0.9:
        return rng.choice(IDS)
    if kind < 0.95:
        return "".join(chr(rng.randrange(rng.choice((128, 0xD800)))) for _ in range(4))
    return rng.choice((rng.getrandbits(64), -rng.getrandbits(200), rng.uniform(-1, 1)))


def mutate(rng: Random, value: Json) -> Json:
    """Return the value with one thing wrong, somewhere."""
    if isinstance(value, dict):
        value = Pairs(value.items())
    if not isinstance(value, list) or not value or rng.random() < 0.1:
        return hostile(rng)
    at = rng.randrange(len(value))
    keyed = isinstance(value, Pairs)
    key, inner = value[at] if keyed else (None, value[at])
    match rng.randrange(8):
        case 0:
            del value[at]
        case 1:
            value.append(value[at])
        case 2:
            value.append((rng.choice(IDS), hostile(rng)) if keyed else hostile(rng))
        case 3 if keyed:
            value[at] = (rng.choice((rng.choice(IDS), Text(rng.choice(BROKEN)), key * 2)), inner)
        case 4 if len(value) < 20 and rng.random() < 0.05:
            value *= 600
        case _:
            wrong = mutate(rng, inner) if rng.random() < 0.5 else hostile(rng)
            value[at] = (key, wrong) if keyed else wrong
    return value


def _flip(rng: Random, body: bytes) -> bytes:
    flipped = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 8))):
        flipped[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _insert(rng: Random, body: bytes) -> bytes:
    at = rng.randrange(len(body))
    inserted = rng.choice((b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", rng.randbytes(3)))
    return body[:at] + inserted + body[at:]


def _recode(rng: Random, body: bytes) -> bytes:
    return body.decode(errors="replace").encode(rng.choice(("utf-16", "utf-32", "utf-7")))


ACCIDENTS: list[Callable[[Random, bytes], bytes]] = [
    *[_flip] * 4,
    *[_insert] * 2,
    _recode,
    lambda rng, body: body[: rng.randrange(len(body))],
    lambda rng, body: body[rng.randrange(len(body)) :],
    lambda rng, body: body.replace(body[(at := rng.randrange(len(body))) : at + 8], b""),
    lambda rng, body: body + rng.choice((b"\0", b"{}", b"\n", b",", body)),
    lambda rng, body: rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b" ", b")]}'\n")) + body,
    lambda rng, body: gzip.compress(body, mtime=0),
]


def damage(rng: Random, body: bytes) -> bytes:
    """Return the body, which is not empty, after an accident on its way."""
    return rng.choice(ACCIDENTS)(rng, body)


GARBAGE: list[Callable[[Random], bytes]] = [
    lambda rng: rng.choice((b"", b"null", b"[]", b"{}", b"0", b'""')),
    lambda rng: rng.randbytes(rng.randrange(1, 200)),
    lambda rng: b"\0" * rng.randrange(1, 5000),
    lambda rng: b"[" * rng.choice((100, 5000, 100_000)),
    lambda rng: write(hostile(rng)).encode(),
    lambda rng: b'{"a":"' + b"x" * rng.choice((10, 10_000, 10_000, 3_990_000, 4_100_000)) + b'"}',
]


def garbage(rng: Random) -> bytes:
    """Return what never was a request."""
    return rng.choice(GARBAGE)(rng)


def body(rng: Random, seed: Json, valid: float) -> bytes:
    """Return a body made of a valid one, which it stays with the probability `valid`."""
    kind = rng.random()
    if kind < valid:
        return json.dumps(seed).encode()
    if kind < valid + (1 - valid) * 0.65:
        seed = copy.deepcopy(seed)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            seed = mutate(rng, seed)
        return write(seed).encode()
    if kind < valid + (1 - valid) * 0.95:
        return damage(rng, json.dumps(seed).encode())
    return garbage(rng)


def prediction(rng: Random, valid: float = 0.15) -> bytes:
    """Return the body of a prediction."""
    counts, weights = (1, 2, 20, MAX_ROWS + 1), (100, 100, 100, 1)
    rows = ROW if rng.random() < 0.6 else [ROW] * rng.choices(counts, weights)[0]
    seed = {"model_id": rng.choice((CANARY, CANARY, "latest", "nobody")), "input_data": rows}
    return body(rng, seed, valid)


def training(rng: Random, valid: float, data: str = NOWHERE) -> bytes:
    """Return the body of a training."""
    return body(rng, {**TRAIN, "dataset_id": data, "estimator": "ridge"}, valid)
