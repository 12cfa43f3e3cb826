"""The table of grants, on each kind of database."""

from collections.abc import Iterator

import pytest

from app.auth.actor import Actor
from app.auth.grants import CACHE_SECONDS, EVERYONE, Grants, Kind, delete_grants
from app.database.engine import connect
from app.jobs.store import JobStore


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(store: JobStore, clock: Clock) -> Iterator[Grants]:
    return Grants(store.engine, timer=clock)


def test_a_thing_is_read_by_those_to_whom_it_was_granted(grants: Grants) -> None:
    assert grants.readers(Kind.MODEL, "red~m") == frozenset()

    assert grants.give(Kind.MODEL, "red~m", "blue", Actor(key_id="key"))
    assert grants.give(Kind.MODEL, "red~m", EVERYONE)
    assert not grants.give(Kind.MODEL, "red~m", "blue", Actor(key_id="another"))

    assert grants.readers(Kind.MODEL, "red~m") == {"blue", EVERYONE}
    assert grants.readers(Kind.DATASET, "red~m") == frozenset()
    assert grants.readers(Kind.MODEL, "red~n") == frozenset()
    told = [(each.grantee, each.granted_by) for each in grants.list(Kind.MODEL, "red~m")]
    assert told == [(EVERYONE, None), ("blue", "key")]


def test_a_grant_is_taken_back_once(grants: Grants) -> None:
    grants.give(Kind.DATASET, "d", "blue")

    assert grants.revoke(Kind.DATASET, "d", "blue")
    assert not grants.revoke(Kind.DATASET, "d", "blue")

    assert grants.readers(Kind.DATASET, "d") == frozenset()


def test_all_grants_of_a_thing_go_with_it_and_no_others(store: JobStore, grants: Grants) -> None:
    for name in ("d", "e"):
        grants.give(Kind.DATASET, name, "blue")
        grants.give(Kind.DATASET, name, "green")

    with connect(store.engine) as connection:
        connection.execute(delete_grants(Kind.DATASET, "d"))

    assert grants.list(Kind.DATASET, "d") == []
    assert grants.readers(Kind.DATASET, "e") == {"blue", "green"}


def test_what_another_process_changes_is_seen_when_the_cache_ends(
    store: JobStore, grants: Grants, clock: Clock
) -> None:
    elsewhere = Grants(store.engine)
    elsewhere.give(Kind.MODEL, "m", "blue")
    assert grants.readers(Kind.MODEL, "m") == {"blue"}

    elsewhere.revoke(Kind.MODEL, "m", "blue")

    clock.now = CACHE_SECONDS / 2
    assert grants.cached(Kind.MODEL, "m") == {"blue"}
    clock.now = CACHE_SECONDS
    assert grants.cached(Kind.MODEL, "m") is None
    assert grants.readers(Kind.MODEL, "m") == frozenset()
    assert CACHE_SECONDS < 2  # as the documentation says
