"""Read the one file of a multipart form, chunk by chunk while it arrives (RFC 7578)."""

from collections import deque
from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from app import errors
from app.producer.uploads.csv_check import SCANNING

HOW = "send one part with the file: curl -X PUT -F file=@data.csv; options belong to the query"
_PLAIN = {"", "7bit", "8bit", "binary"}


class MultipartFile:
    """The file in a form that has one part; `content_type` is that of the part.

    It is known when the first bytes of the file have come.
    """

    def __init__(self, next_chunk: Callable[[], bytes], boundary: str) -> None:
        """Read the form from `next_chunk`. Raises `errors.Invalid` if it has no boundary."""
        if not boundary:
            raise errors.Invalid(
                "body", "Content-Type has no boundary; let the client write the whole of it"
            )
        self.content_type = ""
        self._next_chunk = next_chunk
        self._pieces: deque[bytes] = deque()
        self._parts = 0
        self._field = b""
        self._headers: dict[bytes, bytes] = {}
        self._ended = self._closed = False
        self._value = b""
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        except FormParserError:
            raise errors.Invalid("body", "the boundary in Content-Type is too long") from None

    def next_chunk(self) -> bytes:
        """Return the next bytes of the file, and b"" after the last. Raises `errors.Invalid`."""
        while not self._pieces and not self._closed:
            chunk = self._next_chunk()
            try:
                if chunk:
                    with SCANNING:
                        self._parser.write(chunk)
                else:
                    self._close()
            except FormParserError:
                raise errors.Invalid("body", f"not a readable form; {HOW}") from None
        return self._pieces.popleft() if self._pieces else b""

    def _close(self) -> None:
        """Check at the end of the body that the form is complete."""
        self._closed = True
        if not self._parts:
            raise errors.Invalid("body", f"the form has no part; {HOW}")
        if not self._ended:
            raise errors.Invalid("body", "the form was cut off: its last boundary is missing")

    def _begin(self) -> None:
        self._parts += 1
        self._headers = {}
        if self._parts > 1:
            raise errors.Invalid("body", f"the form has several parts; {HOW}")

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.strip().lower()] = self._value.strip()
        self._field = self._value = b""

    def _end_headers(self) -> None:
        self.content_type = self._headers.get(b"content-type", b"").decode("latin-1")
        encoding = self._headers.get(b"content-transfer-encoding", b"").decode("latin-1").lower()
        if encoding not in _PLAIN:
            raise errors.Invalid(
                "body", "the part has a Content-Transfer-Encoding; send its bytes as they are"
            )

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._pieces.append(data[start:end])

    def _end(self) -> None:
        self._ended = True
