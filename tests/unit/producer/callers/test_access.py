"""What a name in a request means, and who may read the thing."""

import asyncio

import pytest

from app import errors
from app.auth.grants import Grants, Kind
from app.auth.names import new_name
from app.database.engine import create_engine
from app.database.tables import metadata
from app.models.references import ModelReferences
from app.producer.callers.access import Access, own
from app.protocol.types import MAX_ID


@pytest.fixture
def access(tmp_path) -> Access:
    engine = create_engine(f"sqlite:///{tmp_path}/warren.db")
    metadata.create_all(engine)
    grants = Grants(engine)
    grants.give(Kind.MODEL, "red~m", "blue")
    grants.give(Kind.MODEL, "common", "*")
    yield Access(grants, ModelReferences(engine))
    engine.dispose()


@pytest.mark.parametrize(
    ("owner", "name", "full"),
    [
        ("default", "m", "m"),
        ("red", "m", "red~m"),
        ("red", "red~m", "red~m"),
        ("red", "latest", "red~latest"),
        ("red", "red~latest", "red~latest"),
        ("blue", "red~m", "red~m"),
        ("blue", "default~common", "common"),
        ("default", "red~m", None),
        ("blue", "red~other", None),
        ("blue", "red~latest", None),
        ("blue", "default~latest", None),
        ("blue", "default~m", None),
    ],
)
def test_a_model_is_ones_own_or_granted(access, owner, name, full):
    if full:
        assert asyncio.run(access.model(owner, name)) == full
        assert asyncio.run(access.job(owner, name)) == full
        assert asyncio.run(access.model_of(owner, name, None)) == (full, None)
    else:
        with pytest.raises(errors.NotFound) as found:
            asyncio.run(access.model(owner, name, "async_model_id"))
        assert found.value.detail == f"async_model_id: there is no model {name}"
        with pytest.raises(errors.NotFound, match=f"^job_id: there is no job {name}$"):
            asyncio.run(access.job(owner, name))


def test_a_grant_is_of_one_kind(access):
    with pytest.raises(errors.NotFound, match=r"^dataset_id: there is no data set red~m$"):
        asyncio.run(access.dataset("blue", "red~m"))
    assert asyncio.run(access.model_of("blue", "latest", "d")) == ("blue~latest", "blue~d")


def test_only_an_owner_changes_a_thing(access):
    assert own("red", "m", "model_id", "model") == "red~m"
    with pytest.raises(errors.NotFound, match=r"^model_id: there is no model red~m$"):
        own("blue", "red~m", "model_id", "model")


def test_a_new_name_has_room_for_its_owner():
    most = MAX_ID - len("red~")
    assert new_name("red", "x" * most, "model_id") == f"red~{'x' * most}"
    assert new_name("default", "x" * MAX_ID, "model_id") == "x" * MAX_ID
    with pytest.raises(errors.Invalid, match=f"^model_id: use at most {most} characters$"):
        new_name("red", "x" * (most + 1), "model_id")
