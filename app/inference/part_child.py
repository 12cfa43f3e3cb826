"""Run the child's side of `part_process`: split a table, read and write a part, join results.

The files may come from anyone, and may be large, so only a child with bounded memory reads them.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from app.children.limits import TABLE_STEP
from app.inference.model_child import Answer, serve
from app.inference.part_files import (
    ResultWriter,
    header_line,
    part_rows,
    read_part,
    write_part,
)
from app.inference.predictor import Tensors
from app.inference.row_problems import MAX_PART_PROBLEMS, RowProblems
from app.inference.runtime import NO_PLACE, Answers, answers_from_tensors
from app.inference.table_layout import TableLayout, chosen_name, feature_name
from app.inference.typed_rows import TypedRows, read_rows
from app.runtime import lower_priority
from app.tables.dialect import TableFormat
from app.tables.table import open_table

NICENESS = 5  # more than the fork server has, because nobody waits for a batch job
INPUT_BYTES = 8_000_000  # of numbers that the model gets at a time
ANSWER_CELLS = 1_500_000  # numbers of an answer
RUN_ROWS = 5000
_BLOCK_BYTES = 1_000_000


def run_rows(layout: TableLayout) -> int:
    """Return how many rows are answered together.

    It depends on the model alone: the last bits of an answer may depend on the rows beside it, and
    a part that is scored again must have the same result.
    """
    inputs = INPUT_BYTES // (8 * max(1, sum(each.width for each in layout.features)))
    return max(1, min(RUN_ROWS, inputs, ANSWER_CELLS // (1 + len(layout.labels or ()))))


def split(pipe: Connection, path: str, asked: str, folder: str) -> None:
    """Serve the parts of the table at `path`: each call writes the next one into `folder`.

    `asked` is JSON: the `layout`, the `table_format` or null, and the `dataset_id`. A call returns
    how many `rows` the part has, 0 behind the last one.
    """
    request = json.loads(asked)
    layout = TableLayout.model_validate(request["layout"])
    table_format = request["table_format"] and TableFormat.model_validate(request["table_format"])
    stack = ExitStack()

    def loaded() -> tuple[str, Answer]:
        table = stack.enter_context(open_table(path, table_format, request["dataset_id"]))
        places = layout.places(table.names)
        for field, count, name in (
            ("model_id", len(layout.features), feature_name),
            ("columns", len(layout.chosen), chosen_name),
        ):
            table.check([places[name(place)] for place in range(count)], field)
        rows = part_rows(len(table.names))
        chunks = table.chunks(places, layout.texts(), rows)
        numbers = iter(range(10**9))

        def next_part(_: Tensors) -> Tensors:
            try:
                chunk = next(chunks, None)
            except Exception:
                stack.__exit__(*sys.exc_info())  # raises what is wrong with the table
                raise
            if chunk is None:
                return {"rows": np.zeros(1, np.int64)}
            write_part(chunk, Path(folder) / f"{next(numbers)}.arrow")
            return {"rows": np.array([len(chunk)])}

        return json.dumps({"columns": table.names}), next_part

    _serve(pipe, loaded)


def score(pipe: Connection, part: str, result: str, layout_json: str) -> None:
    """Serve the rows of a part: each call writes the answers to the rows of the call before.

    It returns the next rows, as `number` and `text`; neither if no row can be scored, or behind the
    last one. `more` tells whether there are more. The last call returns the report as `report`.
    """
    layout = TableLayout.model_validate_json(layout_json)

    def loaded() -> tuple[str, Answer]:
        scored = _Scored(layout, Path(part), Path(result))
        return "{}", scored.next

    _serve(pipe, loaded)


class _Scored:
    """The rows of a part and its result, as far as they are scored."""

    def __init__(self, layout: TableLayout, part: Path, result: Path) -> None:
        self._layout = layout
        self._frames = read_part(part, run_rows(layout))
        self._writer = ResultWriter(result, layout)
        self._problems = RowProblems()
        self._asked: tuple[pd.DataFrame, TypedRows] | None = None
        self._row = self._answered = 0

    def next(self, tensors: Tensors) -> Tensors:
        if self._asked:
            frame, read = self._asked
            self._write(frame, read, answers_from_tensors(tensors) if tensors else None)
        frame_or_none = next(self._frames, None)
        if frame_or_none is None:
            self._writer.close()
            return {"more": np.zeros(1, bool), "report": _text(self._report())}
        names = [feature_name(n) for n in range(len(self._layout.features))]
        read = read_rows([frame_or_none[name] for name in names], self._layout.features)
        self._asked = frame_or_none, read
        return {"more": np.ones(1, bool), **(read.inputs if read.kept.any() else {})}

    def _write(self, frame: pd.DataFrame, read: TypedRows, answers: Answers | None) -> None:
        """Write the answers, and nothing for rows that were not asked."""
        whole = _spread(answers, read.kept, self._layout)
        self._writer.write(frame, whole)
        answered = _answered(whole)
        silent = np.flatnonzero(read.kept & ~answered)
        read.problems.add("no_answer", None, silent + 1, "the model has no answer to this row")
        found = read.problems.report(None)
        self._problems.merge(
            {**each, "rows": [row + self._row for row in each["rows"]]} for each in found
        )
        self._row += len(frame)
        self._answered += int(answered.sum())

    def _report(self) -> dict[str, Any]:
        return {
            "rows": self._row,
            "scored": self._answered,
            "problems": self._problems.report(MAX_PART_PROBLEMS),
        }


def join(pipe: Connection, path: str, layout_json: str) -> None:
    """Serve the end of a batch job: each call adds the result of a part to the file at `path`.

    The call without a part ends the file.
    """
    layout = TableLayout.model_validate_json(layout_json)

    def loaded() -> tuple[str, Answer]:
        add, end = (_join_csv if layout.format == "csv" else _join_parquet)(Path(path), layout)

        def joined(tensors: Tensors) -> Tensors:
            if "part" in tensors:
                add(Path(str(tensors["part"][0])))
            else:
                end()
            return {}

        return "{}", joined

    _serve(pipe, loaded)


_Joining = tuple[Callable[[Path], None], Callable[[], None]]


def _join_csv(path: Path, layout: TableLayout) -> _Joining:
    file = path.open("wb")
    file.write(header_line(layout))

    def add(part: Path) -> None:
        with part.open("rb") as lines:
            while block := lines.read(_BLOCK_BYTES):
                file.write(block)

    return add, file.close


def _join_parquet(path: Path, layout: TableLayout) -> _Joining:
    writers: list[pq.ParquetWriter] = []

    def add(part: Path) -> None:
        table = pq.read_table(part)
        if not writers:
            writers.append(pq.ParquetWriter(path, table.schema))
        writers[0].write_table(table)

    def end() -> None:
        for each in writers:
            each.close()
        if not writers:
            ResultWriter(path, layout).close()

    return add, end


def _serve(pipe: Connection, load: Callable[[], tuple[str, Answer]]) -> None:
    lower_priority(NICENESS)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    serve(pipe, load, TABLE_STEP, TABLE_STEP)


def _spread(answers: Answers | None, kept: Any, layout: TableLayout) -> Answers:
    """Return the answers to all rows of those to the rows that are `kept`."""
    count = len(kept)
    classifies = layout.labels is not None
    predicted = np.full(count, NO_PLACE) if classifies else np.full(count, np.nan)
    probabilities = None
    if layout.probabilities:
        probabilities = np.full((count, len(layout.labels or ())), np.nan)
    if answers is not None:
        predicted[kept] = answers.predicted
        if answers.probabilities is not None:
            finite = np.isfinite(answers.probabilities).all(axis=1)
            predicted[kept] = np.where(finite, answers.predicted, NO_PLACE)
            if probabilities is not None:
                probabilities[kept] = np.where(finite[:, None], answers.probabilities, np.nan)
    return Answers(predicted, probabilities)


def _answered(answers: Answers) -> Any:
    if answers.predicted.dtype.kind == "f":
        return np.isfinite(answers.predicted)
    return answers.predicted != NO_PLACE


def _text(value: Any) -> Any:
    return np.array([json.dumps(value)], object)
