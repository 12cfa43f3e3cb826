"""Write predictions in the form that a client accepts."""

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from app import strict_json
from app.producer.invocations import media
from app.protocol.replies import ABSENT, Predicted

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Answers:
    """The predictions for the rows of a request, and their `pred_proba` if the model gives it."""

    model_id: str | None
    predictions: list[Any]
    pred_proba: list[Any] | None

    @classmethod
    def of(cls, replies: list[Predicted], *, many: bool) -> "Answers":
        """Return the answers of the replies to a request, whose rows are lists if `many`."""
        given = all(reply.pred_proba is not ABSENT for reply in replies)
        return cls(
            replies[0].model_id,
            _joined([reply.prediction for reply in replies], many),
            _joined([reply.pred_proba for reply in replies], many) if given else None,
        )

    def encode(self, media_type: str, *, wrapped: bool, many: bool) -> bytes:
        """Return the body of a response: CSV, JSON lines or JSON.

        JSON is `{"predictions"}` if the rows came `wrapped`, else the prediction as `/predict`
        returns it, with lists if they were `many`.
        """
        if media_type == media.CSV:
            return self._csv()
        if media.is_lines(media_type):
            return self._lines()
        if wrapped:
            return strict_json.dumps({"predictions": self.predictions})
        proba = ABSENT if self.pred_proba is None else self.pred_proba
        if many:
            whole = Predicted(self.model_id, prediction=self.predictions, pred_proba=proba)
        else:
            one = proba if proba is ABSENT else proba[0]
            whole = Predicted(self.model_id, prediction=self.predictions[0], pred_proba=one)
        return whole.encode()

    def _csv(self) -> bytes:
        """Write a prediction in each line: texts as they are, other values as JSON."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([_cell(each)] for each in self.predictions)
        return written.getvalue().encode()

    def _lines(self) -> bytes:
        """Write `{"prediction", "pred_proba"?}` in each line."""
        if self.pred_proba is None:
            objects = [{"prediction": each} for each in self.predictions]
        else:
            pairs = zip(self.predictions, self.pred_proba, strict=True)
            objects = [{"prediction": value, "pred_proba": proba} for value, proba in pairs]
        return "".join(f"{_encode(each)}\n" for each in objects).encode()


def _joined(parts: list[Any], many: bool) -> list[Any]:
    return [each for part in parts for each in part] if many else parts


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value)
