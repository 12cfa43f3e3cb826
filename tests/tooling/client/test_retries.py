"""What is sent again, how long the client waits before, and what is never sent twice."""

import random
import re

import pytest

from devstack import ports
from warren_client import Warren, errors
from warren_client.calls import Call, with_json
from warren_client.retries import RetryPolicy

POST = Call("POST", "/predict")
KEYED = with_json("POST", "/train", {}, {"Idempotency-Key": "k"})


def test_a_read_is_sent_again_after_a_break_and_after_a_503(scripted):
    scripted.script.drop()
    scripted.script.problem(503, "overloaded", retry_after=5)
    scripted.script.answer(200, {"workers": []})

    assert scripted.warren.workers() == []
    assert len(scripted.script.asked) == 3
    assert scripted.pauses == [0.5, 5.5]
    assert scripted.script.asked[0].headers["X-API-Key"] == "secret"


def test_there_are_no_more_tries_than_allowed(scripted):
    for _ in range(3):
        scripted.script.problem(429, "rate_limited", "slowly", retry_after=1)

    with pytest.raises(errors.RateLimited, match="slowly") as raised:
        scripted.warren.workers()
    assert raised.value.retry_after == 1
    assert len(scripted.pauses) == 2


def test_a_call_that_may_have_been_carried_out_is_not_sent_again(scripted):
    scripted.script.drop()

    with pytest.raises(errors.Unreachable):
        scripted.warren.transport.json(POST)
    assert len(scripted.script.asked) == 1


def test_an_idempotency_key_makes_it_safe(scripted):
    scripted.script.drop()
    scripted.script.answer(202, {"message": "b"})

    assert scripted.warren.transport.json(KEYED) == {"message": "b"}
    first, second = scripted.script.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == "k"


@pytest.mark.parametrize(
    ("status", "kind", "more", "again"),
    [
        (429, "quota_exceeded", {}, True),
        (503, "broker_unavailable", {}, True),
        (503, "endpoint_unavailable", {"may_have_begun": True}, False),
        (502, "endpoint_lost", {}, False),
        (504, "deadline_exceeded", {}, False),
        (422, "invalid", {}, False),
        (409, "conflict", {}, False),
        (507, "storage_full", {}, False),
    ],
)
def test_a_refusal_says_whether_a_call_may_be_sent_again(scripted, status, kind, more, again):
    scripted.script.problem(status, kind, **more)
    if again:
        scripted.script.answer(200, 1)
        assert scripted.warren.transport.json(POST) == 1
    else:
        with pytest.raises(errors.WarrenError):
            scripted.warren.transport.json(POST)


def test_a_503_of_a_proxy_proves_nothing(scripted):
    html = {"Content-Type": "text/html"}
    scripted.script.answers += [(503, b"busy", html), (503, b"busy", html), (200, b"1", html)]

    with pytest.raises(errors.Unavailable, match="busy"):
        scripted.warren.transport.json(POST)
    assert scripted.warren.transport.json(KEYED) == 1


def test_a_server_that_wants_a_long_pause_is_not_waited_for(scripted):
    scripted.script.problem(503, "unavailable", retry_after=3600)

    with pytest.raises(errors.Unavailable):
        scripted.warren.workers()
    assert scripted.pauses == []


def test_a_deletion_whose_answer_was_lost_has_succeeded(scripted):
    scripted.script.drop()
    scripted.script.problem(404, "not_found")
    scripted.warren.datasets.delete("a")

    scripted.script.problem(404, "not_found")
    with pytest.raises(errors.NotFound):
        scripted.warren.datasets.delete("a")


def test_nothing_listens():
    (port,) = ports.unused(1)
    url, pauses = f"http://127.0.0.1:{port}", []
    with (
        Warren(url, max_retries=1, sleep=pauses.append) as warren,
        pytest.raises(errors.Unreachable, match=f"no answer from {re.escape(url)}"),
    ):
        warren.transport.json(POST)
    assert len(pauses) == 1


def test_pauses_grow_to_a_bound_and_differ_by_chance():
    policy = RetryPolicy(random=lambda: 0.0)
    assert [policy.pause(retry) for retry in range(7)] == [0.25, 0.5, 1, 2, 4, 4, 4]
    assert policy.pause(0, retry_after=3) == 3

    drawn = {RetryPolicy(random=random.Random(seed).random).pause(1) for seed in range(20)}
    assert len(drawn) == 20
    assert all(0.5 <= pause <= 1 for pause in drawn)


def test_what_is_no_warren_is_named(scripted):
    scripted.script.answer(200, b"<html>")
    with pytest.raises(errors.UnexpectedAnswer, match="is it a Warren"):
        scripted.warren.workers()
    scripted.script.answer(200, {"a": 1})
    with pytest.raises(errors.UnexpectedAnswer, match="it has no workers"):
        scripted.warren.workers()
    scripted.script.answer(200, {"state": 7})
    with pytest.raises(errors.UnexpectedAnswer):
        scripted.warren.jobs["a"]


def test_an_answer_may_have_no_content(scripted):
    scripted.script.answer(204, b"")
    assert scripted.warren.request("DELETE", "/models/a/aliases/b") is None
    assert scripted.script.asked[0].method == "DELETE"


def test_a_call_of_any_path_has_its_query(scripted):
    scripted.script.answer(200, {})
    scripted.warren.request("GET", "/models/a@b?at=2026-11-01T00%3A00%3A00Z&tag=x&tag=y")

    (asked,) = scripted.script.asked
    assert asked.path == "/models/a@b?at=2026-11-01T00%3A00%3A00Z&tag=x&tag=y"


def test_a_download_is_whole_or_not_there(scripted, tmp_path):
    short = {"Content-Length": "10"}
    scripted.script.answers += [(200, b"half", short), (200, b"the whole.", short)]

    model = scripted.warren.models
    scripted.script.answers.insert(0, (200, b'{"model_id": "m"}', {}))
    assert model["m"].export("mlflow", tmp_path / "m.zip").read_bytes() == b"the whole."
    assert [each.path for each in scripted.script.asked[1:]] == [
        "/models/m/export?format=mlflow"
    ] * 2
    assert [path.name for path in tmp_path.glob("*.zip*")] == ["m.zip"]
