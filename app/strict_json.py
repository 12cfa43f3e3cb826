"""JSON as RFC 8259 has it, without its loose ends.

UTF-8, no NaN or Infinity (nor a number that overflows to one), no key twice in an object, no lone
surrogate, nothing nested deeper than `MAX_DEPTH`.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

from app import errors

MAX_DEPTH = 64  # what pydantic and Python can read, they cannot always write again
CHUNK = 100  # elements of a list that are written at a time: no other thread has a turn meanwhile


def loads(body: bytes) -> Any:
    """Parse JSON strictly, as the head of this module says. Raises `errors.Malformed`."""
    try:
        text = body.decode()
        value = _decoder.decode(text)
        if _deeper(value, MAX_DEPTH):
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # fails where one has no partner
    except (ValueError, RecursionError) as error:
        raise errors.Malformed("body", f"not valid JSON: {error}") from None
    return value


def dumps(fields: dict[str, Any]) -> bytes:
    """Write an object, its long lists piece by piece. Raises `ValueError` for NaN and Infinity."""
    parts = [f"{_write(name)}:{_chunked(value)}" for name, value in fields.items()]
    return f"{{{','.join(parts)}}}".encode()


def _chunked(value: object) -> str:
    if not isinstance(value, list) or len(value) <= CHUNK:
        return _write(value)
    begins = range(0, len(value), CHUNK)
    return f"[{','.join(_write(value[each : each + CHUNK])[1:-1] for each in begins)}]"


def _deeper(value: object, levels: int) -> bool:
    """Tell whether lists and objects are nested deeper than `levels`."""
    level = _containers([value])
    for _ in range(levels):
        level = [
            inner
            for outer in level
            for inner in _containers(outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _containers(values: Iterable[object]) -> list[dict[str, Any] | list[Any]]:
    """Return those that are lists or objects, and not empty."""
    return [each for each in values if each and isinstance(each, (dict, list))]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return value


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is too large for a number")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
_write = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
