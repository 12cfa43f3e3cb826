"""A call of the API, before it is sent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from warren_client.credentials import fits_header
from warren_client.errors import Invalid, Unsendable
from warren_client.values import plain

UPLOAD_SECONDS = 900.0  # the server reads a whole table before it answers
SAFE_METHODS = ("GET", "HEAD", "PUT", "DELETE")
JSON_MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class Form:
    """A form of a manifest, which is JSON, and a file."""

    manifest: object
    file: Path


@dataclass(frozen=True)
class Call:
    """A method, a path and what is sent.

    The `body` is bytes, or a file that is read while it is sent. `safe` says whether to send the
    call twice does no more than to send it once, and `once` that it may undo what somebody did in
    between, so that it is only sent again if it cannot have begun. `accepts` are statuses that are
    answers, too. `seconds` are those that the next byte of the answer may take, if more than usual.
    `within` are those after which no try begins, and which the next byte may take at most. A header
    of other characters than printable ASCII is `Unsendable`.
    """

    method: str
    path: str
    params: Mapping[str, str | list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Path | None = None
    form: Form | None = None
    safe: bool = False
    once: bool = False
    accepts: tuple[int, ...] = ()
    seconds: float = 0
    within: float | None = None

    def __post_init__(self) -> None:
        """Check the headers, so that the HTTP library has no reason to print one."""
        for name, value in self.headers.items():
            if not fits_header(value):
                raise Unsendable(f"the header {name} has characters that no header can hold")

    @property
    def repeatable(self) -> bool:
        """Whether the call may be sent again though the first one may have been carried out.

        An idempotency key makes it so, because requests with one key make one job.
        """
        if self.once:
            return False
        return self.safe or self.method in SAFE_METHODS or "Idempotency-Key" in self.headers


def get(path: str, **params: object) -> Call:
    """Return a call that reads; parameters that are None are left out."""
    return Call("GET", path, params=parameters(params))


def with_json(
    method: str,
    path: str,
    content: object,
    headers: Mapping[str, str] | None = None,
    *,
    safe: bool = False,
    once: bool = False,
) -> Call:
    """Return a call that sends JSON. Raises `Unsendable`."""
    body = as_json(content).encode()
    sent = {"Content-Type": JSON_MEDIA_TYPE, **(headers or {})}
    return Call(method, path, headers=sent, body=body, safe=safe, once=once)


def as_json(content: object) -> str:
    """Return content as JSON, with numpy's numbers and dates as JSON has them.

    Members are in the order of their names. Raises `Unsendable` for what JSON has no form of.
    """
    try:
        return json.dumps(
            content, default=plain, allow_nan=False, sort_keys=True, separators=(",", ":")
        )
    except (TypeError, ValueError) as error:
        raise Unsendable(f"JSON has no form of a value: {error}") from None


def parameters(given: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return a query: true and false as JSON has them, nothing for None."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if value is not None
    }


def part(name: str) -> str:
    """Return a name as a part of a path.

    Raises `Invalid` for a name that is none and would change the path.
    """
    if not isinstance(name, str) or name in ("", ".", ".."):
        raise Invalid(f"{name!r} is no name")
    return quote(name, safe="@:~")
