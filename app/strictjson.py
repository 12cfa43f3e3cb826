"""JSON as RFC 8259 has it, without its loose ends.

UTF-8, no NaN or Infinity (nor a number that overflows to one), no key twice in an object, no lone
surrogate, nothing nested deeper than `MAX_DEPTH`.
"""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from app import errors

MAX_DEPTH = 64  # what pydantic and Python can read, they cannot always write again


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
        raise errors.Malformed(f"body: not valid JSON: {error}", field="body") from None
    return value


def _deeper(value: object, levels: int) -> bool:
    """Tell whether lists and objects are nested deeper than `levels`."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(inner) and (levels == 0 or any(_deeper(each, levels - 1) for each in inner))


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
