# Written by `python -m devstack.blocking_client`; change asynchronous/predictions.py instead.
"""Ask a model about rows or images, in as many requests as the limits demand."""

from functools import partial
from typing import Any, Protocol

from warren_client.blocking.primitives import work
from warren_client.calls import Call, with_json
from warren_client.errors import ModelOutOfMemory, TooLarge, UnexpectedAnswer
from warren_client.images import Images
from warren_client.records import ModelRecord, member
from warren_client.rows import ENDPOINT, MAX_ROWS, Answers, Rows


class Sender(Protocol):
    """What sends a call and returns the JSON of its answer."""

    def json(self, call: Call) -> Any:
        """Send a call. Raises `WarrenError`."""


def predicted(
    transport: Sender, model: ModelRecord, rows: Rows | Images, extra: str | None
) -> Answers:
    """Return the answers for all rows or images, in their order. Raises `WarrenError`.

    A request has as many as one may have, and half as many as one that was too large. Only a model
    that runs elsewhere may mind that a request is sent twice.
    """
    found = Answers([], [])
    done, size = 0, MAX_ROWS
    while done < len(rows.data):
        count, inputs = work(partial(rows.part, done, size))
        body = {"model_id": model.model_id, **inputs}
        if extra:
            body["extra"] = extra
        call = with_json("POST", "/predict", body, safe=model.kind not in (None, ENDPOINT))
        try:
            answer = member(transport.json(call), "message")
        except (TooLarge, ModelOutOfMemory):
            if count <= 1:
                raise
            size = (count + 1) // 2
            continue
        found.predictions.extend(_many(member(answer, "prediction"), count))
        found.probabilities.extend(_many(answer.get("pred_proba") or [None] * count, count))
        done += count
    return found


def _many(values: Any, count: int) -> list[Any]:
    if not isinstance(values, list) or len(values) != count:
        raise UnexpectedAnswer("the answer has not one prediction for each row")
    return values
