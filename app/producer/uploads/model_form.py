"""The multipart form of an uploaded model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app import errors
from app.producer.routing.body import content_type_parameter
from app.producer.schemas.models import NamedManifest
from app.protocol.types import MULTIPART_MEDIA_TYPE
from app.protocol.validation import parse_request
from app.protocol.wording import quoted

HOW = "curl -X PUT -F manifest=@manifest.json -F model=@model.onnx"
_PARTS = ("manifest", "model")


@asynccontextmanager
async def read_form(request: Request, limit: int) -> AsyncIterator[FormData]:
    """Read a form: its fields into memory, its files to disk. Raises `errors.Invalid`."""
    check_charset(request.headers.get("content-type", ""))
    parts = len(_PARTS)
    try:
        form = await request.form(max_files=parts, max_fields=parts, max_part_size=limit)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        if error.detail.startswith("Part exceeded"):
            raise errors.TooLarge("body", f"a part is over the limit of {limit} bytes") from None
        raise errors.Invalid("body", _fault(error.detail)) from None
    except (ValueError, LookupError):
        raise errors.Invalid("body", _fault("")) from None
    except OSError as error:
        raise errors.Unavailable(f"the upload cannot be kept: {error.strerror}") from error
    try:
        yield form
    finally:
        await form.close()


def _fault(reason: str) -> str:
    """Return what is wrong with a form; `reason` is the parser's."""
    if reason.startswith("Missing boundary"):
        whole = f"let the client write the whole {MULTIPART_MEDIA_TYPE} by itself"
        return f"Content-Type has no boundary; {whole}"
    parts = " and ".join(_PARTS)
    return f"not a readable form; send {MULTIPART_MEDIA_TYPE} with the parts {parts}"


def check_charset(content_type: str) -> None:
    """Raise `errors.Invalid` unless the charset is UTF-8.

    Other codecs may block the event loop for a minute. The form's parser ignores the charset of a
    part.
    """
    charset = content_type_parameter(content_type, "charset")
    if charset not in ("", "utf-8", "utf8"):
        raise errors.Invalid(
            "body", f"the form must be in UTF-8, but its charset is {quoted(charset)}"
        )


async def form_parts(form: FormData, limit: int) -> tuple[NamedManifest, IO[bytes]]:
    """Return the manifest and the file of a form. Raises `errors.Invalid` or `TooLarge`."""
    names = [name for name, _ in form.multi_items()]
    for name in [*names, *_PARTS]:
        if name not in _PARTS or names.count(name) != 1:
            count = {0: "no part is", 1: "a part is"}.get(names.count(name), "several parts are")
            raise errors.Invalid(
                "body",
                f"{count} named {quoted(name)}; send two, {' and '.join(_PARTS)}: {HOW}",
            )
    manifest, model = form["manifest"], form["model"]
    if not isinstance(model, UploadFile):
        raise errors.Invalid("model", "send it as a file, with a file name")
    if isinstance(manifest, UploadFile):
        written = await manifest.read(limit + 1)
        if len(written) > limit:
            raise errors.TooLarge("manifest", f"over the limit of {limit} bytes")
    else:
        written = manifest.encode()
    try:
        return parse_request(NamedManifest, written), model.file
    except errors.Invalid as error:
        raise error.within("manifest") from None
