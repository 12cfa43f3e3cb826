"""Have child processes read and write the files of batch jobs; see `part_child`.

Other child processes answer for the models. This process only passes arrays from one to the other.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app import errors
from app.inference.model_process import ModelProcess
from app.inference.predictor import Tensors
from app.inference.runtime import Answers, answers_to_tensors
from app.inference.table_layout import TableLayout

# A name, because importing it would load pandas into the parent. The fork server imports it.
CHILD_MODULE = "app.inference.part_child"
STEP_SECONDS = 120.0  # to read or write the rows that go together

Beat = Callable[[], None]  # called between two steps; an error that it raises ends the work


class SplitPart(NamedTuple):
    """A part in a file, and the number of its rows."""

    path: Path
    rows: int


def split_table(
    table: Path,
    folder: Path,
    layout: TableLayout,
    table_format: dict[str, Any] | None,
    dataset_id: str,
    beat: Beat,
) -> Iterator[SplitPart]:
    """Yield the parts of a table, each in a file of `folder` that is deleted afterwards.

    A table without rows has no part. Raises `errors.BadData`, or `Unavailable` for a full disk.
    """
    asked = {
        "layout": layout.model_dump(),
        "table_format": table_format,
        "dataset_id": dataset_id,
    }
    with closing(_Child(_split, str(table), json.dumps(asked), str(folder))) as child:
        number = 0
        while rows := int(child.run({})["rows"][0]):
            path = folder / f"{number}.arrow"
            yield SplitPart(path, rows)
            path.unlink()
            beat()
            number += 1


def score_part(
    part: Path, result: Path, layout: TableLayout, answer: Callable[[Tensors], Answers], beat: Beat
) -> dict[str, Any]:
    """Write the result of a part; return its report: `rows`, `scored` and `problems`.

    `answer` answers rows, as `number` and `text`.
    """
    with closing(_Child(_score, str(part), str(result), layout.model_dump_json())) as child:
        answered: Tensors = {}
        while True:
            found = dict(child.run(answered))
            more = bool(found.pop("more")[0])
            if not more:
                report: dict[str, Any] = json.loads(found["report"][0])
                return report
            beat()
            answered = answers_to_tensors(answer(found)) if found else {}
            beat()


@contextmanager
def joined_results(path: Path, layout: TableLayout) -> Iterator[Callable[[Path], None]]:
    """Give a function that adds the result of a part to the file at `path`, in order."""
    with closing(_Child(_join, str(path), layout.model_dump_json())) as child:
        yield lambda part: _add(child, part)
        child.run({})


class _Child:
    """A child, whose lack of memory is the table's fault and not that of a model."""

    def __init__(self, serve: Callable[..., None], *arguments: str) -> None:
        with _table_errors():
            self._process = ModelProcess(
                serve, *arguments, load_seconds=STEP_SECONDS, run_seconds=STEP_SECONDS
            )

    def run(self, inputs: Tensors) -> Tensors:
        with _table_errors():
            return self._process.run(inputs)

    def close(self) -> None:
        self._process.stop()


@contextmanager
def _table_errors() -> Iterator[None]:
    try:
        yield
    except errors.ModelOutOfMemory as error:
        detail = "the rows take too much memory; make their texts shorter, or their columns fewer"
        raise errors.BadData("dataset_id", detail) from error


def _add(child: _Child, part: Path) -> None:
    child.run({"part": np.array([str(part)], object)})


def _split(*arguments: Any) -> None:
    from app.inference import part_child  # only children load pandas

    part_child.split(*arguments)


def _score(*arguments: Any) -> None:
    from app.inference import part_child

    part_child.score(*arguments)


def _join(*arguments: Any) -> None:
    from app.inference import part_child

    part_child.join(*arguments)
