"""Choose the form of an answer by the header `Accept` (RFC 9110 section 12.5.1)."""

import math
from collections.abc import Sequence
from urllib.request import parse_http_list

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException


def choose(request: Request, offered: Sequence[str]) -> str:
    """Return the media type to answer with, one of `offered`. Raises HTTP's 406."""
    header = ", ".join(request.headers.getlist("accept"))
    if chosen := best(header, offered):
        return chosen
    raise HTTPException(406, f"Accept: no answer has this form; ask for {', '.join(offered)}")


def best(accept_header: str | None, offered: Sequence[str]) -> str | None:
    """Return the media type of `offered` that a client prefers, or None if it refuses them all.

    The first of `offered` wins if the header is absent or has no media range. Of two types with the
    same weight, the one that is named exactly wins, then the one that is offered first. Parameters
    other than the weight `q` are ignored.
    """
    ranges = _ranges(accept_header or "")
    if not ranges:
        return offered[0]
    weight, _, negative = max(
        (*_preference(kind, ranges), -place) for place, kind in enumerate(offered)
    )
    return offered[-negative] if weight > 0 else None


def _preference(kind: str, ranges: dict[str, float]) -> tuple[float, int]:
    """Return the weight of a media type, and how exactly its most specific range names it."""
    group = kind.partition("/")[0]
    for exactness, name in ((2, kind), (1, f"{group}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], exactness
    return 0.0, 0


def _ranges(header: str) -> dict[str, float]:
    """Return the weights by media range; those that cannot be read are left out."""
    found = {}
    for each in parse_http_list(header):
        kind, options = parse_options_header(each)
        name = kind.decode("latin-1").strip()
        weight = _weight(options.get(b"q", b"1"))
        if weight is not None and ("/" in name or name == "*"):  # Java sends `*` for `*/*`
            found["*/*" if name == "*" else name] = weight
    return found


def _weight(written: bytes) -> float | None:
    """Return a weight from 0 to 1, or None if it is none; `.2` is one, too."""
    try:
        weight = float(written)
    except ValueError:
        return None
    return None if math.isnan(weight) else min(max(weight, 0.0), 1.0)
