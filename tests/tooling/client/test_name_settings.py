"""What the client sends about whole names: descriptions, splits, shadows."""

import asyncio

from warren_client import AsyncWarren

CHURN = {"name": "churn", "description": "who leaves", "tags": ["sales"], "split": None}


def test_names_are_listed_and_read(scripted):
    scripted.script.answer(200, {"names": [CHURN], "next": "c"})
    scripted.script.answer(200, {"names": [{**CHURN, "name": "price"}], "next": None})
    scripted.script.answer(200, CHURN)
    listed = [each["name"] for each in scripted.warren.names.list(tag="sales")]
    assert listed == ["churn", "price"]
    assert scripted.warren.names["churn"] == CHURN
    paths = [each.path for each in scripted.script.asked]
    assert paths[0] == "/names?limit=100&tag=sales"
    assert paths[2] == "/names/churn"


def test_a_description_leaves_what_is_not_given(scripted):
    for change, sent in (
        ({"description": "new"}, {"description": "new", "tags": ["sales"]}),
        ({"tags": []}, {"description": "who leaves", "tags": []}),
        ({"description": ""}, {"description": None, "tags": ["sales"]}),
    ):
        scripted.script.answer(200, CHURN)
        scripted.script.answer(200, {"name": "churn"})
        assert scripted.warren.names.describe("churn", **change) == {"name": "churn"}
        put = scripted.script.asked[-1]
        assert (put.method, put.path, put.json()) == ("PUT", "/names/churn", sent)


def test_a_version_is_described_by_its_number(scripted):
    scripted.script.answer(200, CHURN)
    scripted.script.answer(200, CHURN)
    scripted.script.answer(200, CHURN)
    scripted.warren.names.describe("churn", "third", version=3)
    scripted.warren.names.version("churn", 3)
    assert {each.path for each in scripted.script.asked} == {"/models/churn/versions/3"}


def test_a_split_and_a_shadow_are_set_and_ended(scripted):
    for status in (200, 204, 200, 204, 204):
        scripted.script.answer(status, {"name": "churn"} if status == 200 else b"")
    scripted.warren.names.split("churn", {1: 90, 2: 10})
    scripted.warren.names.end_split("churn")
    scripted.warren.names.set_shadow("churn", 2, "champion", 0.5)
    scripted.warren.names.end_shadow("churn")
    scripted.warren.names.delete("churn")
    asked = scripted.script.asked
    assert [(each.method, each.path) for each in asked] == [
        *(("PUT", "/models/churn/split"), ("DELETE", "/models/churn/split")),
        *(("PUT", "/models/churn/shadow"), ("DELETE", "/models/churn/shadow")),
        ("DELETE", "/names/churn"),
    ]
    assert asked[0].json() == {"weights": {"1": 90, "2": 10}}
    assert asked[2].json() == {"alias": "champion", "version": 2, "share": 0.5}


def test_names_are_read_on_an_event_loop(scripted):
    scripted.script.answer(200, {"names": [CHURN], "next": None})

    async def read() -> list[str]:
        async with AsyncWarren(scripted.script.url) as warren:
            return [each["name"] async for each in warren.names]

    assert asyncio.run(read()) == ["churn"]
