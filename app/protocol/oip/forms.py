"""Parse inference requests; the form of each is checked once.

A client sends the same tensors again and again, with other elements and another id. The form of a
request is its JSON without these. A request of a known form differs from one that was accepted only
in its id, and in flat lists of numbers and texts: they are parsed, and counted. All else goes the
whole way, errors too.
"""

import re
from itertools import chain
from typing import Any, NamedTuple

from app import errors
from app.protocol import strict_json
from app.protocol.oip.datatypes import Buffer
from app.protocol.oip.request import InferRequest, Tensor, read_infer

MAX_FORMS = 256
MAX_BYTES = 10_000  # of the JSON; what is longer takes longer to be answered, too

_KEY, _ID_KEY = b'"data"', b'"id"'
# Elements without brackets and escapes, so that a list ends where it seems to end.
_DATA = re.compile(rb'"data"\s*+:\s*+\[((?:[^"\[\]{}\\]++|"[^"\\]*+")*+)\]')
# An id of characters that stand for themselves in JSON.
_ID = re.compile(rb'"id"\s*+:\s*+"([ !#-\[\]-~]*+)"')

# The size of the binary data, whether the id is cut out, and the JSON around the lists.
_Key = tuple[int | bytes, ...]


class _Form(NamedTuple):
    """A request without elements.

    `heads` are the names, datatypes, rows and widths of its tensors, a tuple of each. `counts` are
    the numbers of elements of the tensors in JSON. `binary` are the places of the others among all,
    and where their bytes begin and end. `columns` are the types of elements with which all tensors
    are columns as they are sent, none if these are not features of one datatype in JSON.
    """

    request: InferRequest
    heads: list[tuple[Any, ...]]
    counts: list[int]
    binary: list[tuple[int, int, int]]
    columns: frozenset[type]


_forms: dict[_Key, _Form] = {}


class _Looked(NamedTuple):
    """The parts of a request: its form if that is known, its id, and its lists if they fit."""

    key: _Key
    form: _Form | None
    own: str | None
    lists: int
    data: list[Any] | None


def parse_infer(header: bytes, raw: Buffer) -> InferRequest:
    """Parse a request: the JSON `header`, and the binary data behind it.

    Raises `errors.Invalid`, `Malformed` or `TooLarge`.
    """
    if len(header) > MAX_BYTES:
        return read_infer(strict_json.loads_request(header), raw)
    found = _look_at(header, raw)
    if found.form is None or found.data is None:
        return _read_and_keep(found, header, raw)
    form, data = found.form, found.data
    if form.columns and form.columns.issuperset(map(type, chain.from_iterable(data))):
        columns = dict(zip(form.heads[0], data, strict=True))
        return form.request._replace(id=found.own, columns=columns)
    for place, begin, end in form.binary:
        data.insert(place, raw[begin:end])
    return form.request._replace(id=found.own, tensors=list(map(Tensor, *form.heads, data)))


def check_infer(header: bytes, raw: Buffer) -> int:
    """Return the rows of a request that `parse_infer` accepts. Raises as that does."""
    if len(header) > MAX_BYTES:
        return read_infer(strict_json.loads_request(header), raw).rows
    found = _look_at(header, raw)
    if found.form is None or found.data is None:
        return _read_and_keep(found, header, raw).rows
    return found.form.request.rows


def _look_at(header: bytes, raw: Buffer) -> _Looked:
    rest, own = _without_id(header)
    parts = _DATA.split(rest)
    key, lists = (len(raw), own is not None, *parts[::2]), parts[1::2]
    form = _forms.get(key)
    return _Looked(key, form, own, len(lists), form and _data(form, lists))


def _read_and_keep(found: _Looked, header: bytes, raw: Buffer) -> InferRequest:
    """Read a whole request, and keep its form if requests that differ in elements share it."""
    request = read_infer(strict_json.loads_request(header), raw)
    if request.id == found.own and _is_clear(header, found.lists, request.tensors):
        if len(_forms) >= MAX_FORMS:  # those that are still asked for come again
            _forms.clear()
        _forms[found.key] = _form(request)
    return request


def _without_id(header: bytes) -> tuple[bytes, str | None]:
    """Cut out the id of a request; return that, too, None if there is none that can be cut out."""
    if _ID_KEY not in header:
        return header, None
    found = _ID.search(header)
    if found is None or header.count(_ID_KEY) > 1:
        return header, None
    begin, end = found.span(1)
    return header[:begin] + header[end:], found[1].decode()


def _data(form: _Form, lists: list[bytes]) -> list[Any] | None:
    """Return the elements of tensors in JSON, None if they do not fit the form."""
    try:
        data = strict_json.loads(b"[[%s]]" % b"],[".join(lists)) if lists else []
    except errors.Malformed:
        return None
    return data if list(map(len, data)) == form.counts else None


def _is_clear(header: bytes, lists: int, tensors: list[Tensor]) -> bool:
    """Tell whether the lists that were found are the elements of the tensors in JSON, in order.

    Without escapes, each of these tensors has the key as it is written. So if there are no more of
    these keys, and as many flat lists, each list is that of a tensor.
    """
    sent = sum(isinstance(each.data, list) for each in tensors)
    return sent == lists == header.count(_KEY) and b"\\" not in header


def _form(request: InferRequest) -> _Form:
    counts, binary, begin = [], [], 0
    for place, tensor in enumerate(request.tensors):
        size = len(tensor.data)
        if isinstance(tensor.data, list):
            counts.append(size)
        else:
            binary.append((place, begin, begin + size))
            begin += size
    *heads, _ = zip(*request.tensors, strict=True)
    return _Form(request._replace(tensors=[]), heads, counts, binary, _columns(request.tensors))


def _columns(tensors: list[Tensor]) -> frozenset[type]:
    """Return the types of elements with which tensors need no further check, perhaps none.

    One tensor alone may be a matrix, or images.
    """
    datatype = tensors[0].datatype
    are_alike = all(
        each.datatype is datatype and each.width in (None, 1) and isinstance(each.data, list)
        for each in tensors
    )
    return datatype.as_they_are if are_alike and len(tensors) > 1 else frozenset()
