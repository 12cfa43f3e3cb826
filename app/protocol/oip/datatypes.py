"""The datatypes of tensors in the Open Inference Protocol, as JSON and as bytes.

As bytes, elements are little-endian, without padding. An element of BYTES is its length, an
unsigned number of 32 bits, and the bytes themselves.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from app import errors
from app.protocol.wording import cut, describe_value, listed, quoted

Buffer = bytes | memoryview

_LENGTH = struct.Struct("<I")
_NONE: type = type(None)


@dataclass(frozen=True)
class Datatype:
    """A datatype. `code` is that of the module `struct`, and `size` the bytes of an element.

    BYTES has the size 0, because its elements differ in size. `kinds` are the types of its elements
    in JSON, where null is a missing value; errors call them `takes`. Elements of the types
    `as_they_are` need no check of their size.
    """

    name: str
    code: str
    size: int
    kinds: frozenset[type]
    takes: str
    is_float: bool = False
    as_they_are: frozenset[type] = frozenset()


def _number(name: str, code: str, takes: str, *kinds: type) -> Datatype:
    size = struct.calcsize(f"<{code}")
    checked: dict[str, tuple[type, ...]] = {"?": (bool, _NONE), "d": (float, _NONE)}
    return Datatype(
        *(name, code, size, frozenset((*kinds, _NONE)), takes),
        is_float=float in kinds,
        as_they_are=frozenset(checked.get(code, ())),
    )


_WHOLE = "whole numbers"
BOOL = _number("BOOL", "?", "true and false", bool)
INT64 = _number("INT64", "q", _WHOLE, int)
FP64 = _number("FP64", "d", "numbers", int, float)
_TEXTS = frozenset((str, _NONE))
BYTES = Datatype("BYTES", "", 0, _TEXTS, "strings", as_they_are=_TEXTS)
DATATYPES = {
    each.name: each
    for each in (
        BOOL,
        *(
            _number(f"{prefix}INT{8 * size}", code.upper() if prefix else code, _WHOLE, int)
            for prefix in ("U", "")
            for size, code in ((1, "b"), (2, "h"), (4, "i"))
        ),
        _number("UINT64", "Q", _WHOLE, int),
        INT64,
        _number("FP16", "e", "numbers", int, float),
        _number("FP32", "f", "numbers", int, float),
        FP64,
        BYTES,
    )
}


def tensor_field(name: str) -> str:
    """Return what errors call an input tensor."""
    return f"inputs.{cut(name)}"


def refuse_datatype(name: str, tensor: str) -> NoReturn:
    """Raise `errors.Invalid` for the datatype of a tensor."""
    said = f"{quoted(name)} is no datatype; use one of {listed(DATATYPES)}"
    raise errors.Invalid(tensor_field(tensor), said)


def from_json(datatype: Datatype, elements: list[Any], tensor: str) -> Sequence[Any]:
    """Return the elements of a tensor that came as JSON; those of FP32 and FP16 are rounded.

    Raises `errors.Invalid`, which names the `tensor`.
    """
    if datatype.as_they_are.issuperset(map(type, elements)):
        return elements
    if wrong := set(map(type, elements)) - datatype.kinds:
        value = next(each for each in elements if type(each) in wrong)
        raise _wrong(datatype, value, tensor)
    known = [each for each in elements if each is not None]
    try:
        rounded = unpack(datatype, pack(datatype, known), len(known))
    except (struct.error, OverflowError):
        value = next(each for each in known if not _fits(datatype, each))
        raise _wrong(datatype, value, tensor) from None
    if len(known) == len(elements):
        return rounded
    left = iter(rounded)
    return [None if each is None else next(left) for each in elements]


def pack(datatype: Datatype, elements: Sequence[Any]) -> bytes:
    """Return the bytes of elements; those of BYTES are text.

    Raises `OverflowError` or `struct.error` for a number that does not fit.
    """
    if datatype.code:
        return struct.pack(f"<{len(elements)}{datatype.code}", *elements)
    return b"".join(_prefixed(each.encode()) for each in elements)


def unpack(datatype: Datatype, data: Buffer, count: int) -> tuple[Any, ...]:
    """Return `count` elements, none of BYTES, from as many bytes as they take."""
    return struct.unpack(f"<{count}{datatype.code}", data)


def unpack_bytes(data: Buffer, count: int, tensor: str) -> list[bytes]:
    """Return `count` elements of BYTES. Raises `errors.Invalid`, which names the `tensor`."""
    field = tensor_field(tensor)
    elements, place, end = [], 0, len(data)
    for number in range(count):
        begin = place + _LENGTH.size
        if begin > end:
            raise errors.Invalid(field, f"its binary data end before element {number} of {count}")
        place = begin + _LENGTH.unpack_from(data, place)[0]
        if place > end:
            raise errors.Invalid(
                field,
                f"element {number} has {place - begin} bytes by its length, but its binary data "
                f"have only {end - begin} more",
            )
        elements.append(bytes(data[begin:place]))
    if place < end:
        raise errors.Invalid(field, f"its binary data have {end - place} bytes too many")
    return elements


def texts(elements: Iterable[bytes], tensor: str) -> list[str]:
    """Return the texts of elements of BYTES. Raises `errors.Invalid`, which names the `tensor`."""
    decoded = []
    for number, each in enumerate(elements):
        try:
            decoded.append(each.decode())
        except UnicodeDecodeError:
            said = f"element {number} is not text in UTF-8"
            raise errors.Invalid(tensor_field(tensor), said) from None
    return decoded


def _prefixed(element: bytes) -> bytes:
    return _LENGTH.pack(len(element)) + element


def _fits(datatype: Datatype, value: Any) -> bool:
    try:
        pack(datatype, [value])
    except (struct.error, OverflowError):
        return False
    return True


def _wrong(datatype: Datatype, value: Any, tensor: str) -> errors.Invalid:
    said = f"a tensor of {datatype.name} has {datatype.takes}"
    return errors.Invalid(tensor_field(tensor), f"{said}, and {describe_value(value)} does not fit")
