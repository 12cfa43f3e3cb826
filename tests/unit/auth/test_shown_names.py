"""Names leave as an owner has them, and nothing else in an answer changes."""

import pytest

from app.auth.shown_names import shown_answer, shown_error, shown_members, shown_reply, shown_text

REPLY = b'{"status":"TASK_COMPLETED","model_id":"%s","prediction":"red~label"}'


@pytest.mark.parametrize(
    ("owner", "name", "seen"),
    [
        ("red", b"red~iris", b"iris"),
        ("blue", b"red~iris", b"red~iris"),
        ("blue", b"iris", b"default~iris"),
        ("default", b"iris", b"iris"),
        ("default", b"red~iris", b"red~iris"),
    ],
)
def test_a_reply_names_its_model_and_keeps_the_rest(owner: str, name: bytes, seen: bytes) -> None:
    assert shown_reply(owner, REPLY % name) == REPLY % seen


@pytest.mark.parametrize("reply", [b"", b"{}", b'{"status":"TASK_ERROR","model_id":null}'])
def test_a_reply_without_a_model_stays(reply: bytes) -> None:
    assert shown_reply("red", reply) == reply


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("there is no model red~iris; did you mean red~irish?", None),
        ("red~a red~b", "a b"),
        ("infrared~a and x.red~a and x-red~a", "infrared~a and x.red~a and x-red~a"),
        ("blue~red", "blue~red"),
        ("red~ alone", "red~ alone"),
    ],
)
def test_a_text_loses_the_owner_before_their_names(text: str, seen: str | None) -> None:
    assert shown_text("red", text) == (seen or "there is no model iris; did you mean irish?")
    assert shown_text("default", text) == text


def test_an_object_has_names_in_the_members_that_are_names() -> None:
    value = {"model_id": "red~m", "dataset_id": None, "label": "red~m", "n": 1}

    seen = shown_members("red", value, ("model_id", "dataset_id", "absent"))

    assert seen == {**value, "model_id": "m"}
    assert value["model_id"] == "red~m"
    assert shown_members("default", value, ("model_id",)) == value


def test_an_error_has_names_in_all_its_texts() -> None:
    wire = {"type": "not_found", "detail": "no model red~m", "job": "red~j", "limit": 5}
    assert shown_error("red", wire) == {**wire, "detail": "no model m", "job": "j"}


@pytest.mark.parametrize("status", ["TASK_ERROR", "TASK_CANCELLED"])
def test_the_errors_of_a_reply_name_things_as_their_owner_does(status: str) -> None:
    head = f'{{"status":"{status}","model_id":"red~iris","error":'.encode()
    error = b'{"type":"not_found","detail":"there is no model red~iris","field":"model_id"}}'

    assert shown_answer("red", head + error) == (head + error).replace(b"red~", b"")
    assert shown_answer("blue", head + error) == head + error
    assert shown_answer("red", head + b"null}") == (head + b"null}").replace(b"red~", b"")


def test_a_label_that_looks_like_a_name_stays() -> None:
    assert shown_answer("red", REPLY % b"red~iris") == REPLY % b"iris"
