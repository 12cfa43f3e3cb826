"""Keys in the database: made, listed, used, rotated, revoked."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import errors
from app.auth import store as keys
from app.auth.api_key import NewKey
from app.auth.identity import ALL_SCOPES, Scope
from app.auth.key_limits import KeyLimits, limits_of
from app.database.auth_tables import api_keys_table
from app.database.engine import connect, database_now
from app.jobs.store import JobStore

SCOPES = frozenset((Scope.TRAIN, Scope.DATA))
NEW = NewKey(name="nightly", owner="team", scopes=list(SCOPES), days=2)


@pytest.fixture
def engine(store: JobStore) -> sa.Engine:
    return store.engine


def put(engine: sa.Engine, key_id: str, **values: object) -> None:
    with connect(engine) as connection:
        connection.execute(
            sa.update(api_keys_table).where(api_keys_table.c.id == key_id).values(values)
        )


def test_a_key_is_stored_without_its_text(engine: sa.Engine) -> None:
    made, text = keys.create_key(engine, NEW)

    assert (made.name, made.owner, made.scopes) == ("nightly", "team", SCOPES)
    assert made.expires_at is not None
    assert abs(made.expires_at - made.created_at - timedelta(days=2)) < timedelta(seconds=1)
    assert keys.list_keys(engine) == [made]
    with connect(engine) as connection:
        (row,) = connection.execute(sa.select(api_keys_table))
    secret = text.split("_")[2]
    assert secret not in json.dumps([str(each) for each in row])
    assert row.hash not in text


def test_a_key_without_an_end_has_none(engine: sa.Engine) -> None:
    made, _ = keys.create_key(engine, NEW.model_copy(update={"days": None}))

    assert made.expires_at is made.revoked_at is made.last_used_at is made.rotates is None


def test_a_key_counts_while_it_can_be_used(engine: sa.Engine) -> None:
    assert not keys.has_usable_key(engine)
    made, _ = keys.create_key(engine, NEW)
    assert keys.has_usable_key(engine)
    put(engine, made.id, expires_at=database_now(-1))
    assert not keys.has_usable_key(engine)
    other, _ = keys.create_key(engine, NewKey(name="all", scopes=list(ALL_SCOPES)))
    assert keys.has_usable_key(engine)
    keys.revoke_key(engine, other.id)
    assert not keys.has_usable_key(engine)


def test_a_key_is_revoked_once(engine: sa.Engine) -> None:
    made, _ = keys.create_key(engine, NEW)

    first = keys.revoke_key(engine, made.id)

    assert first.revoked_at is not None
    assert keys.revoke_key(engine, made.id) == first
    with pytest.raises(errors.NotFound, match='there is no key "nothing"'):
        keys.revoke_key(engine, "nothing")


def test_a_rotation_lets_both_keys_live_for_a_while(engine: sa.Engine) -> None:
    old, old_text = keys.create_key(engine, NEW)

    new, text = keys.rotate_key(engine, old.id, 3600)

    assert text != old_text
    assert (new.name, new.owner, new.scopes, new.rotates) == ("nightly", "team", SCOPES, old.id)
    assert new.expires_at is not None
    assert abs(new.expires_at - new.created_at - timedelta(days=2)) < timedelta(seconds=1)
    ends = {each.id: each.expires_at for each in keys.list_keys(engine)}[old.id]
    assert ends is not None
    assert abs(ends - new.created_at - timedelta(hours=1)) < timedelta(minutes=1)


def test_a_rotated_key_keeps_its_limits(engine: sa.Engine) -> None:
    limits = {"max_requests": 0.5, "max_rows": 1000.0, "max_queued": 20}
    old, _ = keys.create_key(engine, NEW.model_copy(update=limits))

    new, _ = keys.rotate_key(engine, old.id, 3600)

    for each in (old, new):
        assert limits_of(vars(each)) == KeyLimits(**limits)
    assert limits_of(vars(keys.create_key(engine, NEW)[0])) is None


def test_a_rotation_lengthens_no_life(engine: sa.Engine) -> None:
    old, _ = keys.create_key(engine, NEW)

    keys.rotate_key(engine, old.id, 30 * 86_400)

    assert {each.id: each.expires_at for each in keys.list_keys(engine)}[old.id] == old.expires_at


@pytest.mark.parametrize("days", [None, 2])
def test_a_key_that_is_rotated_again_passes_its_whole_life_on(
    engine: sa.Engine, days: float | None
) -> None:
    old, _ = keys.create_key(engine, NEW.model_copy(update={"days": days}))

    for _ in range(2):  # as when the first answer was lost
        new, _ = keys.rotate_key(engine, old.id, 3600)

        life = new.expires_at and new.expires_at - new.created_at
        assert (life and round(life.total_seconds())) == (days and days * 86_400)


def test_a_revoked_key_is_not_rotated(engine: sa.Engine) -> None:
    made, _ = keys.create_key(engine, NEW)
    keys.revoke_key(engine, made.id)

    with pytest.raises(errors.Conflict, match="is revoked; make a new one"):
        keys.rotate_key(engine, made.id, 60)
    with pytest.raises(errors.NotFound):
        keys.rotate_key(engine, "nothing", 60)
    assert len(keys.list_keys(engine)) == 1


def test_the_last_use_is_written_once_a_minute(engine: sa.Engine) -> None:
    made, _ = keys.create_key(engine, NEW)

    keys.mark_used(engine, {made.id})
    (first,) = keys.list_keys(engine)
    keys.mark_used(engine, {made.id})

    assert first.last_used_at is not None
    assert keys.list_keys(engine) == [first]
    put(engine, made.id, last_used_at=database_now(-61))
    keys.mark_used(engine, {made.id})
    (later,) = keys.list_keys(engine)
    assert later.last_used_at is not None
    assert later.last_used_at >= first.last_used_at
