"""Recognize other formats, by their first bytes, in bytes that were sent as text."""

import re
from typing import Literal

WideEncoding = Literal["utf-16", "utf-16-le", "utf-16-be"]

HEAD_BYTES = 4096  # bytes that are looked at

_REMEDY = "save it as UTF-8"
# By their first bytes. Some signatures go on with a byte that no text has.
_FORMATS: tuple[tuple[bytes, str], ...] = (
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls)"),
    (rb"PAR1[\0-\x08\x0e-\x1f]", "a Parquet file"),
    (rb"ARROW1\0", "an Arrow file"),
    (rb"Obj\x01", "an Avro file"),
    (rb"\x89HDF\r\n", "an HDF5 file"),
    (rb"\x93NUMPY", "a NumPy file"),
    (rb"\x80[\x02-\x05]", "a pickle"),
    (rb"SQLite format 3\0", "an SQLite database"),
    (rb"%PDF-", "a PDF document"),
    (rb"\x89PNG\r\n", "a PNG image"),
    (rb"\xff\xd8\xff", "a JPEG image"),
    (rb"(?i)\s*<(!doctype html|html|head|body)\b", "an HTML page"),
    (rb"(?i)\s*<\?xml ", "an XML document"),
)
_COMPRESSED: tuple[tuple[bytes, str], ...] = (
    (rb"\x1f\x8b", "gzip"),
    (rb"\x28\xb5\x2f\xfd", "zstd"),
    (rb"BZh[1-9]1AY&SY", "bzip2"),
    (rb"\xfd7zXZ\0", "xz"),
    (rb"7z\xbc\xaf\x27\x1c", "7-Zip"),
)
JSON_START = re.compile(rb'\s*[{\[]\s*(["{\[]|$)')  # unlike a CSV's
_MANY = re.compile(rb"[\x80-\xff]{3}")
_ZIP = rb"PK(\x03\x04|\x05\x06)"


def describe(head: bytes, wanted: str) -> str | None:
    """Return the name of another format, with the remedy, or None for a possible text in UTF-8.

    `head` begins a body that should be `wanted`: CSV, for example.
    """
    head = head[:HEAD_BYTES]
    for signature, name in _COMPRESSED:
        if re.match(signature, head):
            declare = "name that as its content encoding, or " if name == "gzip" else ""
            return f"it is compressed by {name}; {declare}decompress it"
    if re.match(_ZIP, head):
        return _zipped(head, wanted)
    for signature, name in _FORMATS:
        if re.match(signature, head):
            return f"it is {name}; send {wanted}"
    if encoding := _wide(head):
        return f"its text is {encoding[:6].upper()}; {_REMEDY}"
    return f"it has a NUL byte, so it is not text; send {wanted}" if b"\0" in head else None


def describe_undecodable(error: UnicodeDecodeError, lines: int = 0, remedy: str = _REMEDY) -> str:
    """Return where a text stops being UTF-8, its probable encoding, and the remedy.

    `lines` is the number of lines before the bytes of the error.
    """
    data, place = bytes(error.object), error.start
    line = lines + data.count(b"\n", 0, place) + 1
    if "end of data" in error.reason:
        return f"line {line} ends within a character; the text was cut off, or is not UTF-8"
    # The languages that these two encodings are for rarely have more than two such bytes in a row.
    western = "" if _MANY.match(data, place) else "the text seems to be Windows-1252 or Latin-1; "
    return (
        f"line {line} has the byte {data[place]:02X}, which is not UTF-8 there; {western}{remedy}"
    )


def _zipped(head: bytes, wanted: str) -> str:
    if b"opendocument.spreadsheet" in head:
        return f"it is an OpenDocument spreadsheet; save it as {wanted}"
    if any(part in head for part in (b"[Content_Types].xml", b"docProps/", b"xl/")):
        return f"it is an Excel workbook (xlsx); save it as {wanted}"
    return f"it is a ZIP archive; unpack it, and send {wanted}"


def wide_encoding(head: bytes) -> WideEncoding | None:
    """Return the encoding of a text in UTF-16, by its mark or by where it has zeros, or None."""
    found = _wide(head[:HEAD_BYTES])
    return found if found != "utf-32" else None


def _wide(head: bytes) -> WideEncoding | Literal["utf-32"] | None:
    """Return UTF-16 or UTF-32 if that is the text: by its mark, or by where it has zeros."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" not in head:
        return None
    zero = [not any(head[place::4]) for place in range(4)]
    little, big = all(zero[2:]) and not zero[0], all(zero[:2]) and not zero[3]
    if little or big:
        return "utf-32"
    even, odd = head[0::2], head[1::2]
    if odd.count(0) * 4 > len(odd) and even.count(0) == 0:
        return "utf-16-le"
    if even.count(0) * 4 > len(even) and odd.count(0) == 0:
        return "utf-16-be"
    return None
