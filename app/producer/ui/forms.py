"""Read the forms of the pages."""

from functools import partial
from urllib.parse import parse_qs

from fastapi import Request

from app import errors
from app.producer.routing.body import call_with_body, media_type
from app.protocol.types import URLENCODED_MEDIA_TYPE

_MOST_FIELDS = 5_000

Form = dict[str, list[str]]


async def read_form(request: Request) -> Form:
    """Return the values of each field that is not blank, as they were sent.

    Names of columns, and texts in them, may begin or end with blanks. Raises `errors.Unsupported`
    for a body that is declared as another one, and `errors.Invalid` for one that is no form.
    """
    body = await request.body()
    if body and media_type(request) != URLENCODED_MEDIA_TYPE:
        raise errors.Unsupported(
            "body",
            f"send a form, with the header Content-Type: {URLENCODED_MEDIA_TYPE}",
            media_types=URLENCODED_MEDIA_TYPE,
        )
    return await call_with_body(body, partial(_parse, body))


def _parse(body: bytes) -> Form:
    try:
        found = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise errors.Invalid("body", "this is no form that a browser sends") from None
    return {name: values for name, values in found.items() if any(map(str.strip, values))}


def first(form: Form, name: str) -> str | None:
    """Return the value of a field, or None if it is empty."""
    return next(iter(form.get(name, ())), None)


async def read_fields(request: Request) -> dict[str, str]:
    """Return the value of each field that is not blank.

    Raises what `read_form` does, and `errors.Invalid` for a field that is sent more than once.
    """
    form = await read_form(request)
    if twice := next((name for name, values in form.items() if len(values) > 1), None):
        raise errors.Invalid(twice, "this field is sent more than once")
    return {name: values[0] for name, values in form.items()}
