"""The form of keys and of sessions: `wrn_<id>_<secret><checksum>`, in digits and letters (base62).

The prefix lets scanners find keys that somebody has published. The checksum shows typing errors and
junk before anything else is computed or asked.
"""

import re
import secrets
import string
from typing import NamedTuple
from zlib import crc32

KEY_PREFIX = "wrn"
SESSION_PREFIX = "wrs"

_BEARER = "bearer "
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECKSUM = 8, 32, 6  # characters; 32 of base62 hold 190 bits
_FORM = re.compile(
    rb"(wr[ns]_([0-9A-Za-z]{%d})_[0-9A-Za-z]{%d})([0-9A-Za-z]{%d})" % (_ID, _SECRET, _CHECKSUM)
)


class Token(NamedTuple):
    """The text of a key or a session, and the id in it."""

    id: str
    text: str


def new_token(prefix: str) -> Token:
    """Make a token of random characters."""
    token_id = _random(_ID)
    body = f"{prefix}_{token_id}_{_random(_SECRET)}"
    return Token(token_id, body + _checksum(body.encode()))


def read_id(text: bytes, prefix: str) -> str | None:
    """Return the id of a token, or None if the text is no token with this prefix."""
    found = _FORM.fullmatch(text)
    if not found or not text.startswith(prefix.encode()):
        return None
    return found[2].decode() if _checksum(found[1]).encode() == found[3] else None


def sent_key(authorization: str, api_key: str) -> tuple[str, str]:
    """Return the value of the header field that has a key, and the key; empty without one.

    They are the values of `Authorization`, which may be of another scheme, and of `X-API-Key`.
    """
    sent = authorization
    if not sent.lower().startswith((_BEARER, KEY_PREFIX)):  # the login of a proxy, for example
        sent = api_key
    key = sent[len(_BEARER) :] if sent.lower().startswith(_BEARER) else sent
    return sent, key.strip()


def _random(length: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def _checksum(body: bytes) -> str:
    """Return the CRC32 of a text in six base62 digits."""
    number, digits = crc32(body), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
