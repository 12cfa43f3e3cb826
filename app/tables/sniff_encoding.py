"""Find out the encoding of a CSV from its first bytes, its declared charset and the options."""

import codecs

from app import errors
from app.protocol import content_sniffing
from app.protocol.wording import quoted
from app.tables.dialect import DialectOptions, Encoding

# Browsers read ISO-8859-1 as Windows-1252, too (WHATWG's Encoding Standard).
WESTERN = {
    *("windows-1252", "cp1252", "cp-1252", "x-cp1252", "ansi"),
    *("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1"),
}
WIDE: dict[str, Encoding] = {
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}


def find_encoding(head: bytes, options: DialectOptions) -> tuple[Encoding, bool, tuple[str, ...]]:
    """Return the encoding, whether later bytes may disprove it, and warnings.

    The encoding is Windows-1252 only if that is declared, because any bytes are a text in it. Some
    clients declare it for every text, so bytes of UTF-8 disprove it. Raises `errors.Invalid` for
    UTF-16 whose byte order nothing tells.
    """
    wide = content_sniffing.wide_encoding(head)
    if options.encoding is not None:
        return _ordered(options.encoding, wide, head), False, ()
    if wide:
        return wide, False, ()
    unicode = _is_utf8(head)
    if options.charset in WIDE and not unicode:
        return _ordered(WIDE[options.charset], None, head), False, ()
    if options.charset not in WESTERN:
        return "utf-8", False, ()
    if head.isascii():
        return "windows-1252", True, ()
    if not unicode:
        return "windows-1252", False, ()
    said = (
        f"the text is read as UTF-8, though its charset is {quoted(options.charset)} by its "
        "Content-Type; say encoding=windows-1252 if that is wrong"
    )
    return "utf-8", False, (said,)


def _ordered(named: Encoding, seen: Encoding | None, head: bytes) -> Encoding:
    """Return the encoding that is named; the one that is seen if that knows the byte order."""
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if named != "utf-16" or not head or head.startswith(marks):
        return named
    if seen:
        return seen
    raise errors.Invalid(
        "encoding",
        "the text is no UTF-16, or has no byte order mark; say utf-16-le, utf-16-be, or what it is",
    )


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
