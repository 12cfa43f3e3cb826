"""How rows are split into requests, and what is sent twice."""

import asyncio
from typing import Any

import pytest

from warren_client import AsyncWarren, errors

MODEL = {"model_id": "m", "kind": "trained", "labels": None}
ROWS = [{"a": n} for n in range(5)]


def answered(scripted: Any, *predictions: int) -> None:
    message = {"prediction": list(predictions), "pred_proba": list(predictions)}
    scripted.script.answer(200, {"message": message})


def sizes(scripted: Any) -> list[int]:
    posts = [each for each in scripted.script.asked if each.method == "POST"]
    return [len(each.json()["input_data"]) for each in posts]


def test_a_request_that_was_too_large_is_halved_and_so_are_those_behind_it(scripted):
    scripted.script.answer(200, MODEL)
    scripted.script.problem(413, "too_large")
    answered(scripted, 0, 1, 2)
    scripted.script.problem(422, "model_out_of_memory")
    answered(scripted, 3)
    answered(scripted, 4)

    assert scripted.warren.models["m"].predict(ROWS) == [0, 1, 2, 3, 4]
    assert sizes(scripted) == [5, 3, 2, 1, 1]


def test_a_single_row_that_is_too_large_is_an_error(scripted):
    scripted.script.answer(200, MODEL)
    scripted.script.problem(413, "too_large")

    with pytest.raises(errors.TooLarge):
        scripted.warren.models["m"].predict(ROWS[0])


@pytest.mark.parametrize(("kind", "again"), [("trained", True), ("endpoint", False)])
def test_only_an_endpoint_is_never_asked_twice(scripted, kind, again):
    scripted.script.answer(200, {**MODEL, "kind": kind})
    scripted.script.drop()
    model = scripted.warren.models["m"]

    if again:
        answered(scripted, 7)
        assert model.predict({"a": 1}) == 7
    else:
        with pytest.raises(errors.Unreachable):
            model.predict({"a": 1})


def test_other_numbers_of_predictions_are_no_answer(scripted):
    scripted.script.answer(200, MODEL)
    answered(scripted, 1, 2)

    with pytest.raises(errors.UnexpectedAnswer, match="not one prediction for each row"):
        scripted.warren.models["m"].predict(ROWS)


def test_the_client_for_event_loops_sends_again_too(scripted, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a\n1\n")
    scripted.script.problem(404, "not_found")
    scripted.script.drop()
    scripted.script.answer(200, {"dataset_id": "d", "version": "v", "rows": 1})
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def upload() -> int | None:
        async with AsyncWarren(scripted.script.url, sleep=sleep) as warren:
            return (await warren.datasets.upload(file, "d")).rows

    assert asyncio.run(upload()) == 1
    puts = [each.body for each in scripted.script.asked if each.method == "PUT"]
    assert puts == [b"a\n1\n"] * 2
    assert len(pauses) == 1
