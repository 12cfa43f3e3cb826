"""Decode base64 (RFC 4648) in the forms in which clients write it."""

import base64
import binascii
import re
from urllib.parse import unquote

from app import errors

_DATA_URL = re.compile(r"\s*data:[^,]*,", re.IGNORECASE)  # RFC 2397
_SCHEME = 10  # characters in which the scheme of an address ends
_URL_SAFE = str.maketrans("-_", "+/")


def decode_base64(text: str, field: str) -> bytes:
    """Return the bytes of a base64 text, or of a `data:` URL that holds one.

    Lines may be broken (RFC 2045), the alphabet may be the one for URLs, and the padding may be
    left out. A `data:` URL may be percent-encoded. Raises `errors.Invalid` for the field `field`.
    """
    if begin := _DATA_URL.match(text):
        if not begin[0].lower().endswith(";base64,"):
            raise errors.Invalid(field, "a data: URL has to say ;base64 before its comma")
        text = unquote(text[begin.end() :])
    text = "".join(text.split())
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        if "://" in text[:_SCHEME]:
            said = "the address of an image is not read; send the image itself, in base64"
            raise errors.Invalid(field, said) from None
        raise errors.Invalid(field, "not base64, or it was cut off") from None
