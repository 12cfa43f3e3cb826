"""What the client asks about names, versions and aliases."""

from typing import Any

import pytest

from warren_client import errors

CHURN = {
    "model_id": "m3",
    "name": "churn",
    "version": 3,
    "aliases": ["champion"],
    "kind": "trained",
}


def test_a_reference_goes_into_the_path_as_it_is(scripted):
    for reference in ("churn", "churn@champion", "churn:3", "red~churn@champion", "a/b"):
        scripted.script.answer(200, CHURN)
        model = scripted.warren.models[reference]
    paths = [each.path for each in scripted.script.asked]
    assert paths == [
        *("/models/churn", "/models/churn@champion", "/models/churn:3"),
        *("/models/red~churn@champion", "/models/a%2Fb"),
    ]
    assert (model.id, model.name, model.version) == ("m3", "churn", 3)
    assert repr(model) == "<trained model churn:3>"


def test_a_promotion_names_the_version_and_says_why(scripted):
    scripted.script.answer(200, {**CHURN, "aliases": []})
    scripted.script.answer(200, {"alias": "champion", "version": 3})
    scripted.script.answer(200, CHURN)

    model = scripted.warren.models["churn:3"]
    answer = model.promote("champion", why="better", force=True, metric="rmse")

    assert answer == {"alias": "champion", "version": 3}
    put = scripted.script.asked[1]
    assert (put.method, put.path) == ("PUT", "/models/churn/aliases/champion")
    assert put.json() == {"version": 3, "why": "better", "metric": "rmse", "force": True}
    assert model.record.aliases == ["champion"]


def test_a_model_without_a_name_is_not_promoted(scripted):
    scripted.script.answer(200, {"model_id": "m"})
    with pytest.raises(errors.Invalid, match="has no name"):
        scripted.warren.models["m"].promote("champion")


def test_a_roll_back_is_not_sent_twice(scripted):
    scripted.script.drop()
    with pytest.raises(errors.Unreachable):
        scripted.warren.models.rollback("churn", "champion")
    scripted.script.answer(200, {"version": 2})
    assert scripted.warren.models.rollback("churn", "champion", "nonsense") == {"version": 2}
    asked = scripted.script.asked[-1]
    assert asked.path == "/models/churn/aliases/champion/rollback"
    assert asked.json() == {"why": "nonsense"}


def test_versions_and_history_are_lists(scripted):
    scripted.script.answer(200, {"versions": [{"version": 2}], "next": "c"})
    scripted.script.answer(200, {"versions": [{"version": 1}], "next": None})
    scripted.script.answer(200, {"history": [{"to": 1}], "next": None})

    assert scripted.warren.models.versions("churn") == [{"version": 2}, {"version": 1}]
    assert scripted.warren.models.history("churn", "champion") == [{"to": 1}]


def test_what_is_no_data_is_not_sent(scripted):
    for data in ([1, 2], 7, None):
        with pytest.raises(errors.Unsendable, match="is no table"):
            scripted.warren.train(data, "price")


def test_a_training_may_have_a_name(scripted):
    scripted.script.answer(202, {"message": {"model_id": "j", "status": "TASK_QUEUED"}})
    scripted.script.answer(200, {"id": "j", "state": "TASK_QUEUED"})

    scripted.warren.train("houses", "price", "churn", cv=5, idempotency_key="nightly")

    asked = scripted.script.asked[0]
    assert asked.json() == {"dataset_id": "houses", "target": "price", "name": "churn", "cv": 5}
    assert asked.headers["Idempotency-Key"] == "nightly"


def test_models_are_listed_by_name(scripted):
    scripted.script.answer(200, {"models": [CHURN], "next": None})
    assert [each.id for each in scripted.warren.models.list(name="churn", limit=1)] == ["m3"]
    assert scripted.script.asked[0].path == "/models?limit=1&name=churn"


@pytest.mark.parametrize("reference", ["", ".", ".."])
def test_what_is_no_name_does_not_change_the_path(scripted, reference):
    with pytest.raises(errors.Invalid, match="is no name"):
        scripted.warren.models[reference]
    with pytest.raises(errors.Invalid, match="is no name"):
        scripted.warren.models.delete(reference)


def test_a_promotion_is_not_sent_twice(scripted):
    scripted.script.answer(200, CHURN)
    model = scripted.warren.models["churn:3"]
    scripted.script.drop()
    with pytest.raises(errors.Unreachable):
        model.promote("champion")
    scripted.script.drop()
    with pytest.raises(errors.Unreachable):
        scripted.warren.request("DELETE", "/models/churn/aliases/champion", once=True)
    assert [each.method for each in scripted.script.asked] == ["GET", "PUT", "DELETE"]


def test_a_change_of_an_alias_is_not_sent_again_after_a_503(scripted):
    scripted.script.answer(200, CHURN)
    model = scripted.warren.models["churn:3"]
    for change in (
        lambda: model.promote("champion"),
        lambda: scripted.warren.models.rollback("churn", "champion"),
    ):
        scripted.script.problem(503, "database_unavailable")
        with pytest.raises(errors.Unavailable):
            change()
    scripted.script.problem(429, "rate_limited")
    scripted.script.answer(200, {"version": 2})
    assert scripted.warren.models.rollback("churn", "champion") == {"version": 2}


@pytest.mark.parametrize("name", [3, None, b"churn"])
def test_what_is_no_text_is_no_name(scripted: Any, name: Any) -> None:
    for things in (scripted.warren.models, scripted.warren.jobs, scripted.warren.names):
        with pytest.raises(errors.Invalid, match="is no name"):
            things[name]
