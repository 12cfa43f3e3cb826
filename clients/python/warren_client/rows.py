"""Make rows or images of a request, and answers of the kind that was asked with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from warren_client.errors import Unsendable
from warren_client.images import Images, images_of, is_image
from warren_client.records import ModelRecord
from warren_client.tables import is_frame
from warren_client.values import plain

MAX_ROWS = 10_000  # of a request
ENDPOINT = "endpoint"  # the kind of models that may take rows or images


@dataclass(frozen=True)
class Rows:
    """Rows to predict: lists of values below `columns`, or whole rows without them.

    `asked` is what they were made of; `single` says that it was one row, `indexed` that it was a
    data frame.
    """

    asked: Any
    data: Sequence[Any]
    columns: list[str] | None = None
    single: bool = False
    indexed: bool = False

    def part(self, begin: int, most: int) -> tuple[int, dict[str, Any]]:
        """Return how many of the rows are in a request, and the member that holds them."""
        some = self.data[begin : begin + min(most, MAX_ROWS)]
        rows = list(some) if self.columns is None else {"columns": self.columns, "data": some}
        return len(some), {"input_data": rows}


def inputs_of(asked: Any, model: ModelRecord) -> Rows | Images:
    """Return what a model is asked about as rows or images of requests.

    Raises `Unsendable`, also for an image where the model takes rows.
    """
    first = asked[0] if isinstance(asked, list | tuple) and asked else asked
    if model.takes_images:
        return images_of(asked)
    if not is_image(first):
        return rows_of(asked, model)
    if model.kind not in (None, ENDPOINT):
        raise Unsendable("the model takes rows, and this is an image")
    return images_of(asked)


def rows_of(asked: Any, model: ModelRecord) -> Rows:
    """Return a data frame, a row, or a list of rows as rows of requests.

    Of a frame only the features of the model are taken. A row is an object with a value for each
    feature, a Series of a frame, or a list of values in the model's order. Raises `Unsendable`.
    """
    if is_frame(asked):
        from warren_client.frame_rows import frame_rows  # it needs pandas

        columns, data = frame_rows(asked, model.columns)
        return Rows(asked, data, columns, indexed=True)
    if hasattr(asked, "to_dict"):  # a row of a frame, of which only the features are taken, too
        row = {str(name): value for name, value in asked.to_dict().items()}
        wanted = row if model.columns is None else model.columns
        return Rows(asked, [_row({name: row[name] for name in wanted if name in row})], single=True)
    if isinstance(asked, dict):
        return Rows(asked, [_row(asked)], single=True)
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise Unsendable(f"{asked!r} is no list of rows; give a data frame, a row, or a list")
    return Rows(asked, [_row(each) for each in asked])


def _row(row: Any) -> Any:
    if isinstance(row, dict):
        return {str(name): plain(value) for name, value in row.items()}
    if isinstance(row, str) or not isinstance(row, Iterable):
        raise Unsendable(f"{row!r} is no row; give an object, or a list of values for each row")
    return [plain(value) for value in row]


@dataclass(frozen=True)
class Answers:
    """The predictions for rows, in their order, and the probabilities by the key of the label."""

    predictions: list[Any]
    probabilities: list[Any]


def shaped(answers: Answers, rows: Rows | Images, model: ModelRecord, *, proba: bool) -> Any:
    """Return the answers as the question came: a Series or DataFrame, a list, or a single one.

    Probabilities have the labels of the model as keys, and as columns.
    """
    if rows.indexed:
        from warren_client.frame_rows import predictions_like, probabilities_like

        if proba:
            found = _by_label(answers.probabilities, model)
            return probabilities_like(rows.asked, found, model.labels)
        return predictions_like(rows.asked, answers.predictions, model.target)
    found = _by_label(answers.probabilities, model) if proba else answers.predictions
    return found[0] if rows.single else found


def _by_label(probabilities: list[Any], model: ModelRecord) -> list[Any]:
    """Return the probabilities by label, where the server has the label's JSON text as key."""
    labels: dict[str, Any] = {}
    for label in model.labels or []:
        labels[str(label).lower() if isinstance(label, bool) else str(label)] = label
    texts = {label for label in model.labels or [] if isinstance(label, str)}
    for label in model.labels or []:
        if isinstance(label, bool) and str(label).lower() in texts:
            labels[str(label).lower()], labels[str(label)] = str(label).lower(), label
    return [
        {labels.get(key, key): value for key, value in each.items()}
        if isinstance(each, dict)
        else each
        for each in probabilities
    ]
