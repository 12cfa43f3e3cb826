"""The key ring: what it knows of the database, and what it still knows without it."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import errors
from app.auth.api_key import NewKey
from app.auth.identity import Identity, Scope
from app.auth.key_limits import KeyLimits
from app.auth.key_ring import KeyRing
from app.auth.sessions import begin_session, end_session
from app.auth.store import create_key, list_keys, revoke_key, rotate_key
from app.auth.tokens import SESSION_PREFIX, read_id
from app.database.auth_tables import api_keys_table
from app.database.engine import connect, create_engine
from app.jobs.store import JobStore
from tests.support.waiting import until

SCOPES = frozenset((Scope.TRAIN,))
NEW = NewKey(name="nightly", owner="team", scopes=list(SCOPES), days=1)


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def test_it_knows_the_valid_keys(store: JobStore) -> None:
    key, text = create_key(store.engine, NEW)
    revoked, other = create_key(store.engine, NEW)
    ring = KeyRing(store.engine)
    ring.refresh()

    for _ in range(2):  # the second time it remembers
        assert ring.identify(text.encode()) == Identity("team", SCOPES, key.id)
        assert ring.identify(other.encode()) is not None

    revoke_key(store.engine, revoked.id)
    ring.refresh()
    assert ring.identify(other.encode()) is None
    assert ring.identify(text.encode()) is not None


def test_a_session_acts_for_its_key_and_ends(store: JobStore) -> None:
    key, _ = create_key(store.engine, NEW)
    ring = KeyRing(store.engine)
    sessions = [begin_session(store.engine, key.id) for _ in range(2)]
    ring.refresh()

    for each in sessions:
        session_id = read_id(each.encode(), SESSION_PREFIX)
        assert ring.identify(each.encode()) == Identity("team", SCOPES, key.id, session_id)

    end_session(store.engine, read_id(sessions[0].encode(), SESSION_PREFIX) or "")
    ring.refresh()
    assert [ring.identify(each.encode()) is None for each in sessions] == [True, False]
    revoke_key(store.engine, key.id)
    ring.refresh()
    assert ring.identify(sessions[1].encode()) is None


def test_a_key_and_its_logins_have_the_limits_of_the_key(store: JobStore) -> None:
    limited = NEW.model_copy(update={"max_requests": 0.5, "max_queued": 3})
    key, text = create_key(store.engine, limited)
    ring = KeyRing(store.engine)
    ring.refresh()
    new, new_text = rotate_key(store.engine, key.id, 3600)
    session = begin_session(store.engine, new.id)
    ring.refresh()

    for each in (text, new_text, session):
        found = ring.identify(each.encode())
        assert found is not None
        assert found.limits == KeyLimits(max_requests=0.5, max_queued=3)


def test_an_expired_session_is_none_and_is_deleted(store: JobStore) -> None:
    key, _ = create_key(store.engine, NEW)
    over = begin_session(store.engine, key.id, -1)
    ring = KeyRing(store.engine)
    ring.refresh()

    assert ring.identify(over.encode()) is None
    begin_session(store.engine, key.id)
    with connect(store.engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM sessions")) == 1


def test_a_use_is_recorded(store: JobStore) -> None:
    _, text = create_key(store.engine, NEW)
    ring = KeyRing(store.engine)
    ring.refresh()
    ring.identify(text.encode())

    ring.refresh()

    (key,) = list_keys(store.engine)
    assert key.last_used_at is not None


def test_before_the_keys_were_read_nobody_can_be_identified(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/nowhere/warren.db")
    ring = KeyRing(engine)

    with pytest.raises(errors.DatabaseUnavailable):
        ring.refresh()
    with pytest.raises(errors.DatabaseUnavailable, match="have not been read"):
        ring.identify(b"wrn_")


def test_without_the_database_known_keys_stay_valid_until_they_expire(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    _, text = create_key(store.engine, NEW)
    clock = Clock()
    ring = KeyRing(store.engine, seconds=0.01, now=clock)
    with caplog.at_level(logging.INFO):
        ring.begin()
        assert ring.identify(text.encode()) is not None
        with connect(store.engine) as connection:
            connection.execute(sa.text("ALTER TABLE auth_state RENAME TO away"))
        until(lambda: "those that are known stay valid" in caplog.text, "the loss is logged")
        assert ring.identify(text.encode()) is not None
        clock.now += timedelta(days=2)
        until(lambda: ring.identify(text.encode()) is None, "the key expires")
        with connect(store.engine) as connection:
            connection.execute(sa.text("ALTER TABLE away RENAME TO auth_state"))
        until(lambda: "the keys can be read again" in caplog.text, "the end is logged")
        ring.stop()
        ring.join()
    assert caplog.text.count("those that are known stay valid") == 1


def test_a_key_that_ends_soon_is_not_remembered_beyond_its_end(store: JobStore) -> None:
    _, lasting = create_key(store.engine, NEW)
    _, ending = create_key(store.engine, NEW.model_copy(update={"days": 30 / 86_400}))
    ring = KeyRing(store.engine)
    ring.refresh()

    for text in (lasting.encode(), ending.encode()):
        assert ring.identify(text, text) is not None

    assert ring.remembered(lasting.encode()) is not None
    assert ring.remembered(ending.encode()) is None


def test_a_scope_of_a_newer_version_allows_nothing(store: JobStore) -> None:
    _, text = create_key(store.engine, NEW)
    with connect(store.engine) as connection:
        connection.execute(sa.update(api_keys_table).values(scopes="train dance"))
    ring = KeyRing(store.engine)
    ring.refresh()

    found = ring.identify(text.encode())

    assert found is not None
    assert found.scopes == {Scope.TRAIN}
