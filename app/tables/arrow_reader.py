"""Read columns of a Parquet or Arrow file, batch by batch."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from app import errors
from app.protocol.wording import quoted
from app.tables.arrow_cells import text_cells, typed_cells
from app.tables.arrow_file import ArrowFile, check_names
from app.tables.arrow_types import arrow_kind
from app.tables.column_cells import ColumnCells
from app.tables.dialect import Kind


class ArrowTable:
    """A Parquet or Arrow file; `names` are those of its columns, without an unnamed index.

    Its columns have types, so that nothing is inferred: a column of texts that are digits is one
    of text. Methods raise pyarrow's errors about damaged files; see `open_table`.
    """

    def __init__(self, path: str, kind: Kind) -> None:
        """Read the schema. Raises `errors.BadData` for names that are not one for each column."""
        self._file = ArrowFile(pa.memory_map(path), kind)
        try:
            check_names(self._file.schema.names)
        except errors.Invalid as error:
            raise errors.BadData(
                "dataset_id", f"the file cannot be used: {error.message}"
            ) from None
        self.names = self._file.names

    def cells(self, places: Mapping[str, int], as_text: Collection[str]) -> dict[str, ColumnCells]:
        """Return the cells of the columns at these places of `names`; those in `as_text` as texts.

        Raises `errors.BadData` for a column of lists, for example.
        """
        kinds = {name: self._kind(place) for name, place in places.items()}
        texts = {name for name, kind in kinds.items() if kind == "text" or name in as_text}
        cells = {name: ColumnCells(as_text=name in texts) for name in places}
        for chunk in self.chunks(places, texts):
            for name, each in cells.items():
                if kinds[name] == "date" and name not in texts:
                    each.add_dates(chunk[name])
                else:
                    each.add(chunk[name])
        return cells

    def check(self, places: Iterable[int], field: str) -> None:
        """Raise `errors.BadData`, which names the field, for a column of lists, for example."""
        for place in places:
            self._kind(place, field)

    def chunks(
        self, places: Mapping[str, int], as_text: Collection[str], rows: int | None = None
    ) -> Iterator[pd.DataFrame]:
        """Yield all rows of the columns at these places, at most `rows` at a time.

        Columns in `as_text` hold texts, NaN for missing ones. The others hold what `typed_cells`
        returns. Raises `errors.BadData` for a column of lists, for example.
        """
        self.check(places.values(), "features")
        written = {name: self.names[place] for name, place in places.items()}
        for batch in self._file.batches(list(written.values()), rows):
            yield pd.DataFrame(
                {
                    name: _cells(batch.column(column), column, as_text=name in as_text)
                    for name, column in written.items()
                },
                copy=False,
            )

    def leading_zeros(self, _: Mapping[str, int]) -> dict[str, str]:
        """Return nothing: numbers have no leading zeros here."""
        return {}

    def _kind(self, place: int, field: str = "features") -> str:
        name = self.names[place]
        of = self._file.schema.field(name).type
        if kind := arrow_kind(of):
            return kind
        raise errors.BadData(
            field,
            f"column {quoted(name)} holds {of}, and not numbers, booleans, texts or dates; leave "
            "it out",
        )


def _cells(array: pa.Array, column: str, *, as_text: bool) -> "pd.Series[Any]":
    """Return some cells of a column. Raises `errors.BadData` for dates that Python has not."""
    try:
        return (text_cells if as_text else typed_cells)(array)
    except OverflowError:
        raise errors.BadData(
            "features",
            f"column {quoted(column)} holds a date outside of the years 1 to 9999, perhaps because "
            "its times were stored in another unit; store it again, or leave it out",
        ) from None
