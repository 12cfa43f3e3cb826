"""Find out which character separates the fields of a CSV, from its first records."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app import errors
from app.tables.dialect import DELIMITERS, Delimiter

_RECORDS = 500
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_OPTIONS = {",": "delimiter=,", ";": "delimiter=;", "\t": "delimiter=tab", "|": "delimiter=pipe"}


@dataclass(frozen=True)
class Records:
    """The first records of a CSV as a delimiter divides them: the header, and rows below it."""

    delimiter: Delimiter
    header: list[str]
    rows: list[list[str]]

    @classmethod
    def read(cls, text: str, delimiter: Delimiter) -> "Records":
        """Read the header and at most 500 records of a text; blank lines are skipped."""
        records = list(islice(_records(text, delimiter), _RECORDS + 1))
        return cls(delimiter, records[0] if records else [], records[1:])

    @property
    def consistent(self) -> bool:
        """Tell whether all rows have as many fields as the header, or all have one more."""
        count = len(self.header)
        return {len(row) for row in self.rows} in ({count}, {count + 1})

    @property
    def extra(self) -> bool:
        """Tell whether all rows have one field more than the header, and a last one is filled."""
        longer = {len(row) - len(self.header) for row in self.rows} == {1}
        return longer and any(row[-1] for row in self.rows)


def _records(text: str, delimiter: Delimiter) -> Iterator[list[str]]:
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(field.strip(" \t") for field in record) or len(record) > 1:
                yield record
    except csv.Error:  # such as a field that is too long
        return


def find_delimiter(text: str) -> Delimiter:
    """Return the character between the fields of a CSV; a comma if no other one is possible.

    If no delimiter fits the rows, it is a comma that the header has, because the rows of a CSV may
    lack fields. Raises `errors.Invalid` if several delimiters are possible.
    """
    found = [each for each in (Records.read(text, d) for d in DELIMITERS) if len(each.header) > 1]
    if not any(each.rows for each in found):
        widest = max(found, key=lambda each: len(each.header), default=None)
        return widest.delimiter if widest else ","
    fitting = [each.delimiter for each in found if each.consistent]
    if not fitting:
        present = [each.delimiter for each in found]
        if "," in present or not present:
            return ","
        fitting = present
    if len(fitting) == 1:
        return fitting[0]
    words, options = ([of[each] for each in fitting] for of in (_WORDS, _OPTIONS))
    raise errors.Invalid(
        "delimiter",
        f"the fields may be separated by {' or by '.join(words)}; say {' or '.join(options)}",
    )
