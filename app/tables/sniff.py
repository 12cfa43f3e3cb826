"""Find out from the first bytes of a file how to read it."""

import codecs
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from app import errors
from app.protocol import content_sniffing
from app.protocol.wording import quoted
from app.tables.dialect import DELIMITERS, Delimiter, Dialect, DialectOptions, Kind, TableFormat
from app.tables.sniff_columns import find_decimal, find_index
from app.tables.sniff_delimiter import Records, find_delimiter
from app.tables.sniff_encoding import find_encoding

SNIFF_BYTES = 65_536  # of a file, and of its decompressed text, that decide about its dialect

_PARQUET = re.compile(rb"PAR1[\0-\x08\x0e-\x1f]")
# A file, or a stream: a mark, and the size of the schema.
_ARROW = re.compile(rb"ARROW1\0|\xff\xff\xff\xff...\0", re.DOTALL)
_GZIP = b"\x1f\x8b"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
_QUOTED = re.compile('"(?:[^"]|"")*"')


@dataclass(frozen=True)
class Sniffed:
    """The format of a file, and what its first bytes leave open.

    With `open_decimal`, no number has decimals so far. With `open_charset`, the text is ASCII so
    far, and its declared charset is Windows-1252, which some clients declare for any text.
    """

    format: TableFormat
    open_decimal: bool = False
    open_charset: bool = False
    warnings: tuple[str, ...] = ()


def sniff(head: bytes, *, whole: bool = False, options: DialectOptions | None = None) -> Sniffed:
    """Return the format of the file that begins with `head`, at best its first `SNIFF_BYTES`.

    With `whole`, `head` is the whole file. A file that is no table is a CSV here; reading it fails.
    Raises `errors.Invalid` if options contradict each other, or if one has to be given.
    """
    options = options or DialectOptions()
    options.check()
    if kind := binary_kind(head):
        return Sniffed(TableFormat(kind=kind))
    gzipped = head.startswith(_GZIP)
    if gzipped:
        head, whole = _decompress(head), False
    encoding, open_charset, warnings = find_encoding(head, options)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head[:SNIFF_BYTES], whole)
    text = text.removeprefix("\ufeff")
    plain = text.encode()
    if content_sniffing.describe(plain, "CSV") or content_sniffing.JSON_START.match(plain):
        return Sniffed(TableFormat.csv())
    skipped = _SEPARATOR_LINE.match(text)
    text = text[skipped.end() :] if skipped else text
    if not whole or len(head) > SNIFF_BYTES:  # the last line may be cut off, and lack fields
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    delimiter = options.delimiter
    if delimiter is None:
        delimiter = _told_delimiter(skipped[1]) if skipped else find_delimiter(text)
    records = Records.read(text, delimiter)
    decimal, open_decimal = options.decimal, False
    if decimal is None:
        decimal, open_decimal = find_decimal(records, options.thousands)
    dialect = Dialect(
        delimiter=delimiter,
        decimal=decimal,
        thousands=options.thousands,
        encoding=encoding,
        compression="gzip" if gzipped else None,
        skipped_lines=1 if skipped else 0,
        line_end="cr" if _ends_in_cr(text) else "lf",
        index=find_index(records, text, options.index),
    )
    return Sniffed(TableFormat.csv(dialect), open_decimal, open_charset, warnings)


def sniff_file(path: str) -> TableFormat:
    """Return the format of a file. Raises `errors.BadData` if its first bytes do not tell it."""
    with Path(path).open("rb") as file:
        head = file.read(SNIFF_BYTES + 1)
    try:
        return sniff(head[:SNIFF_BYTES], whole=len(head) <= SNIFF_BYTES).format
    except errors.Invalid as error:
        raise errors.BadData(
            "dataset_id", f"the file cannot be told apart, {error.detail}; upload it again so"
        ) from None


def binary_kind(head: bytes) -> Kind | None:
    """Return the kind of a file that begins as Parquet or Arrow does."""
    if _PARQUET.match(head):
        return "parquet"
    return "arrow" if _ARROW.match(head) else None


def _decompress(head: bytes) -> bytes:
    """Return the beginning of a file that gzip has compressed; nothing if it is damaged."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, SNIFF_BYTES)
    except zlib.error:
        return b""


def _told_delimiter(mark: str) -> Delimiter:
    for known in DELIMITERS:
        if known == mark:
            return known
    raise errors.Invalid(
        "delimiter",
        f"the first line says that the fields are separated by {quoted(mark)}; separate them by "
        "commas, semicolons, tabs or vertical bars",
    )


def _ends_in_cr(text: str) -> bool:
    """Tell whether the first line, without quoted fields, ends in CR alone."""
    return "\r" in _QUOTED.sub("", text.lstrip("\r\n \t").partition("\n")[0].strip("\r"))
