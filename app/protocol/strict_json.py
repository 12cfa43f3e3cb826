"""Parse and write JSON more strictly than Python does: RFC 8259, without ambiguity.

The text is UTF-8; many Windows programs put a byte order mark before it. There is no NaN and no
Infinity (not even by overflow), no duplicate key in an object, no lone surrogate, and no nesting
deeper than `MAX_DEPTH`.
"""

import codecs
import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from app import errors
from app.protocol import content_sniffing
from app.protocol.json_fault import describe_fault
from app.protocol.wording import quoted, repeated

MAX_DEPTH = 64  # because pydantic and Python can read deeper nesting, but not always write it
MAX_VALUES = 500_000  # in a request, because the parser holds the interpreter meanwhile
MAX_CONTAINERS = 200_000  # lists and objects among them, which take the most time
MAX_KEYS = 50_000  # of an object
CHUNK = 100  # elements of a list encoded at a time, because no other thread runs meanwhile


def loads(body: bytes) -> Any:
    """Parse strict JSON, perhaps after a byte order mark. Raises `errors.Malformed`."""
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
        value = _decoder.decode(text)
        # With fewer brackets than levels, nothing can be nested so deep.
        if text.count("[") + text.count("{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
            raise _malformed(_TOO_DEEP)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # fails at a lone surrogate
    except UnicodeDecodeError as error:
        raise _malformed(_named(body) or content_sniffing.describe_undecodable(error)) from None
    except UnicodeEncodeError:
        raise _malformed(
            "a string has half of a surrogate pair; write the whole character"
        ) from None
    except RecursionError:
        raise _malformed(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise _malformed(_named(body) or describe_fault(error)) from None
    except ValueError:  # from int()
        raise _malformed("a number has too many digits") from None
    return value


def loads_request(body: bytes, most: int = MAX_VALUES) -> Any:
    """Parse as `loads` does; raise `errors.TooLarge` beforehand for more than `most` values.

    Signs in strings count, too. That is quick, and hardly any text has as many.
    """
    if len(body) <= most:
        return loads(body)
    containers = body.count(b"[") + body.count(b"{")
    if containers > MAX_CONTAINERS:
        raise errors.TooLarge(
            "body",
            f"it has more than {MAX_CONTAINERS} lists and objects; send it in parts",
            limit=MAX_CONTAINERS,
        )
    if containers + body.count(b",") > most:
        raise errors.TooLarge(
            "body", f"it has more than {most} values; send it in parts", limit=most
        )
    return loads(body)


def dumps(fields: dict[str, Any]) -> bytes:
    """Encode an object, long lists in chunks. Raises `ValueError` for NaN and Infinity."""
    parts = [f"{_encode(name)}:{_encode_in_chunks(value)}" for name, value in fields.items()]
    return f"{{{','.join(parts)}}}".encode()


def _encode_in_chunks(value: object) -> str:
    if not isinstance(value, list) or len(value) <= CHUNK:
        return _encode(value)
    begins = range(0, len(value), CHUNK)
    return f"[{','.join(_encode(value[each : each + CHUNK])[1:-1] for each in begins)}]"


def is_deeper(value: object, levels: int) -> bool:
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
    """Return the lists and objects among the values that are not empty."""
    return [each for each in values if each and isinstance(each, (dict, list))]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise _malformed(f"an object has more than {MAX_KEYS} keys")
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = repeated(key for key, _ in pairs)[0]
        raise _malformed(f"the key {quoted(twice)} stands twice in one object")
    return value


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise _malformed(
            f"{number:.40} is too large for a number; JSON readers take up to about 1.8e308"
        )
    return value


def _refuse(constant: str) -> NoReturn:
    raise _malformed(f"{constant} is not a JSON number; send null for a missing value")


def _named(body: bytes) -> str | None:
    return content_sniffing.describe(body, "JSON")


def _malformed(reason: str) -> errors.Malformed:
    return errors.Malformed("body", f"not valid JSON: {reason}")


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
# The same with all characters as they are: Unicode text, which is not ASCII.
encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
