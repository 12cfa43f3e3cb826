"""The names in a training that a client of the broker sends."""

import pytest

from app import errors
from app.amqp.message import Disposition, IncomingMessage
from app.auth.identity import Identity, Scope
from app.consumer.message_owner import asked_model, check_names, qualify, read_training
from app.protocol.requests import PredictRequest
from app.protocol.training_request import TrainRequest
from tests.support.fakes import delivery

ASKED = {"dataset_id": "houses", "features": ["a"], "target": "t"}


def asked(**more: object) -> TrainRequest:
    return TrainRequest.model_validate({**ASKED, **more})


@pytest.mark.parametrize(
    ("owner", "names", "full"),
    [
        ("default", {}, ("houses", None)),
        ("default", {"model_id": "m"}, ("houses", "m")),
        ("blue", {"model_id": "m"}, ("blue~houses", "blue~m")),
        ("blue", {"dataset_id": "red~houses"}, ("red~houses", None)),
        ("blue", {"dataset_id": "default~houses"}, ("houses", None)),
    ],
)
def test_names_are_those_of_the_sender(
    owner: str, names: dict[str, str], full: tuple[str, str | None]
) -> None:
    request = qualify(asked(**names), owner)

    assert (request.dataset_id, request.model_id) == full
    assert request.features == ["a"]


def test_a_client_names_no_model_of_another_owner() -> None:
    with pytest.raises(errors.Invalid, match=r"^model_id: red~m is a name of another owner"):
        check_names(delivery({}), asked(), "red~m", None)


def test_a_client_learns_from_no_data_of_another_owner_that_are_not_shared() -> None:
    check_names(delivery({}), asked(), "m", None)
    with pytest.raises(errors.Invalid, match=r"^dataset_id: there is no data set red~houses"):
        check_names(delivery({}), asked(dataset_id="red~houses"), "m", None)


def of(owner: str | None) -> IncomingMessage:
    """Return a message of an owner's client, or of a service."""
    message = delivery({})
    if owner is None:
        message.resend_as = "warren"
    else:
        message.identity = Identity(owner, frozenset((Scope.PREDICT,)))
    return message


@pytest.mark.parametrize(
    ("owner", "model_id", "full"),
    [
        ("default", "m", "m"),
        ("blue", "m", "blue~m"),
        ("blue", "blue~m", "blue~m"),
        ("blue", "latest", "blue~latest"),
        (None, "red~m", "red~m"),
        (None, "m", "m"),
    ],
)
def test_a_model_is_that_of_the_sender(owner: str | None, model_id: str, full: str) -> None:
    request = PredictRequest(model_id=model_id, input_data={"a": 1})

    assert asked_model(of(owner), request, None) == (full, None)


@pytest.mark.parametrize(
    "names", [{"model_id": "red~m"}, {"model_id": "latest", "dataset_id": "red~d"}]
)
def test_a_client_asks_no_model_of_another_owner_that_is_not_shared(names: dict[str, str]) -> None:
    request = PredictRequest(input_data={"a": 1}, **names)  # type: ignore[arg-type]

    for owner in ("default", "blue"):
        with pytest.raises(errors.NotFound, match="there is no"):
            asked_model(of(owner), request, None)


@pytest.mark.parametrize(("field", "length"), [("dataset_id", 128), ("model_id", 125)])
def test_a_name_for_which_the_owner_leaves_no_room_is_invalid(field: str, length: int) -> None:
    body = {**ASKED, field: "x" * length}
    message = delivery(body, identity=Identity("blue", frozenset((Scope.TRAIN,))))

    assert read_training(message) is None

    assert message.disposition is Disposition.REJECT
    error = message.channel.replies[-1]["error"]
    assert (error["type"], error["detail"]) == ("invalid", f"{field}: use at most 123 characters")
