"""Write predictions in the form that a client accepts."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from app.protocol import strict_json
from app.protocol.media_types import is_json_lines
from app.protocol.replies import Predicted
from app.protocol.types import CSV_MEDIA_TYPE


@dataclass(frozen=True)
class Answers:
    """The answers to the rows of a request: a list for `prediction` and each further member."""

    model_id: str | None
    members: dict[str, list[Any]]

    @classmethod
    def of(cls, replies: list[Predicted], *, many: bool) -> "Answers":
        """Return the answers of the replies to a request, whose members are lists if `many`."""
        given = [reply.members() for reply in replies]
        names = [name for name in given[0] if all(name in each for each in given)]
        joined = {name: _joined([each[name] for each in given], many) for name in names}
        return cls(replies[0].model_id, joined)

    @property
    def predictions(self) -> list[Any]:
        """Return the prediction for each row."""
        return self.members["prediction"]

    def encode(self, media_type: str, *, wrapped: bool, many: bool) -> bytes:
        """Return the body of a response: CSV, JSON lines or JSON.

        JSON is `{"predictions"}` if the rows came `wrapped`, else the prediction as `/predict`
        returns it, with lists if they were `many`.
        """
        if media_type == CSV_MEDIA_TYPE:
            return self._csv()
        if is_json_lines(media_type):
            return self._lines()
        if wrapped:
            return strict_json.dumps({"predictions": self.predictions})
        members = {name: each if many else each[0] for name, each in self.members.items()}
        return Predicted(self.model_id, **members).encode()

    def _csv(self) -> bytes:
        """Write a prediction in each line: texts as they are, other values as JSON."""
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([_cell(each)] for each in self.predictions)
        return written.getvalue().encode()

    def _lines(self) -> bytes:
        """Write an object with all members in each line."""
        rows = zip(*self.members.values(), strict=True)
        objects = (dict(zip(self.members, row, strict=True)) for row in rows)
        return "".join(f"{strict_json.encode(each)}\n" for each in objects).encode()


def _joined(parts: list[Any], many: bool) -> list[Any]:
    return [each for part in parts for each in part] if many else parts


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else strict_json.encode(value)
