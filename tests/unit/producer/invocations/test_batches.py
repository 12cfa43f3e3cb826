"""Any number of rows, asked in messages one after the other."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app import errors
from app.producer.invocations.batches import predict_rows
from app.producer.invocations.rows import InputRows
from app.protocol.replies import Predicted
from app.protocol.types import MAX_ROWS


class Consumer:
    """Answers a row with itself, and refuses a message as it is told."""

    def __init__(self, most: int = MAX_ROWS, bad: int | None = None) -> None:
        self.sizes: list[int] = []
        self.held: list[int] = []
        self._most = most
        self._bad = bad

    async def ask(self, message: bytes) -> bytes:
        asked = json.loads(message)
        assert (asked["model_id"], asked["job_id"]) == ("m", "j")
        rows = asked["input_data"]
        self.sizes.append(len(rows))
        if self._bad in rows:
            raise errors.Invalid(f"input_data.{rows.index(self._bad)}.a", "expected a number")
        if len(rows) > self._most:
            raise errors.TooLarge(None, "the answer is too large")
        return Predicted("m", prediction=rows, pred_proba=rows).encode()

    def take(self, size: int) -> None:
        self.held.append(size)


def predicted(consumer: Consumer, count: int) -> list[Any]:
    rows = InputRows([str(n) for n in range(count)], "instances")
    ask: Callable[[bytes], Awaitable[bytes]] = consumer.ask
    answers = asyncio.run(predict_rows(ask, rows, consumer.take, model_id="m", job_id="j"))
    assert answers.members["pred_proba"] == answers.predictions
    return answers.predictions


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [
        (3, MAX_ROWS, [3]),
        (25_000, MAX_ROWS, [10_000, 10_000, 5_000]),
        (8, 2, [8, 4, 2, 2, 4, 2, 2]),
        (3, 1, [3, 1, 2, 1, 1]),
    ],
)
def test_all_rows_are_answered_in_order(count: int, most: int, sizes: list[int]) -> None:
    consumer = Consumer(most)
    assert predicted(consumer, count) == list(range(count))
    assert consumer.sizes == sizes
    assert sum(consumer.held) == 0
    assert max(consumer.held) > 0


def test_the_error_of_one_message_is_that_of_the_call() -> None:
    consumer = Consumer(bad=12_345)
    with pytest.raises(errors.Invalid) as caught:
        predicted(consumer, 25_000)
    assert caught.value.detail == "instances.12345.a: expected a number"
    assert consumer.sizes == [10_000, 10_000]
    assert sum(consumer.held) == 0


def test_a_single_row_that_is_too_large_is_an_error() -> None:
    with pytest.raises(errors.TooLarge):
        predicted(Consumer(0), 2)
