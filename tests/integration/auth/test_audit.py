"""The audit log on each kind of database: rows stay as they are until they are too old."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.api_key import NewKey
from app.auth.audit import Action, Thing, begin
from app.auth.audit_listing import AuditEntry, AuditFilter, list_audit
from app.auth.audit_retention import delete_old_audit
from app.auth.store import create_key
from app.database.auth_tables import api_keys_table, audit_table
from app.database.engine import connect, create_engine, database_now
from app.database.paging import Page
from app.jobs.store import JobStore
from tests.support.rows import RESULT

REFUSED = (errors.DatabaseUnavailable, IntegrityError)  # as the drivers say it
BY = Actor("user ann", "red", "203.0.113.7", "request-1")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = create_engine(database_url)
    yield made
    made.dispose()


def log(engine: sa.Engine) -> list[AuditEntry]:
    return list_audit(engine, AuditFilter(), Page(1000, "created_at"))[0]


def add_old(engine: sa.Engine, name: str, days: float) -> None:
    row = {"id": name, "owner": "red", "actor": "user ann", "action": "create", "kind": "model"}
    insert = sa.insert(audit_table).values(**row, name=name, outcome="done")
    with connect(engine) as connection:
        connection.execute(insert.values(created_at=database_now(-days * 86_400)))


@pytest.mark.parametrize(
    "change",
    [
        sa.update(audit_table).values(actor="nobody"),
        sa.update(audit_table).where(audit_table.c.name == "old").values(created_at=None),
        sa.delete(audit_table),
        sa.delete(audit_table).where(audit_table.c.name == "old"),
    ],
    ids=["update", "update one", "delete", "delete one"],
)
def test_nobody_changes_or_deletes_a_row(engine: sa.Engine, change: sa.Executable) -> None:
    add_old(engine, "old", 400)
    begin(engine, BY, Action.DELETE, Thing.DATASET, "d")
    before = log(engine)

    refused = pytest.raises(REFUSED, match="append-only")
    with refused, connect(engine) as connection:
        connection.execute(change)

    assert log(engine) == before


def test_a_table_is_not_emptied_at_once(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    begin(engine, BY, Action.DELETE, Thing.DATASET, "d")

    with pytest.raises(errors.WarrenError, match="append-only"), connect(engine) as connection:
        connection.execute(sa.text("TRUNCATE audit"))

    assert len(log(engine)) == 1


def test_the_retention_deletes_what_is_too_old_in_batches(engine: sa.Engine) -> None:
    for number, days in enumerate([500, 400, 366, 364, 0]):
        add_old(engine, str(number), days)

    deleted = [delete_old_audit(engine, 365, batch=2) for _ in range(3)]

    assert deleted == [2, 1, 0]
    assert [each.name for each in log(engine)] == ["3", "4"]
    with pytest.raises(REFUSED), connect(engine) as connection:
        connection.execute(sa.delete(audit_table))


def test_a_change_that_fails_leaves_no_row(engine: sa.Engine) -> None:
    key, _ = create_key(engine, NewKey(name="a", scopes=["predict"]), BY)
    with connect(engine) as connection:
        connection.execute(sa.text("DROP TABLE api_keys"))

    with pytest.raises(errors.DatabaseUnavailable):
        create_key(engine, NewKey(name="b", scopes=["predict"]), BY)

    (row,) = log(engine)
    assert (row.action, row.kind, row.name) == ("create", "key", key.id)
    assert (row.actor, row.owner, row.address) == ("user ann", "red", "203.0.113.7")


def test_a_change_without_its_row_is_not_made(engine: sa.Engine) -> None:
    with connect(engine) as connection:
        connection.execute(sa.text("DROP TABLE audit"))

    with pytest.raises(errors.DatabaseUnavailable):
        create_key(engine, NewKey(name="b", scopes=["predict"]), BY)

    with connect(engine) as connection:
        assert connection.execute(sa.select(api_keys_table)).all() == []


def test_a_model_is_published_by_who_asked_for_the_training(store: JobStore) -> None:
    store.create("m", "train", "d", {}, by=BY)
    attempt = store.claim("m", "worker")
    assert store.complete_training("m", attempt, *RESULT)
    assert store.complete_training("m", attempt, *RESULT)  # the answer to a commit was lost

    made, published = log(store.engine)
    assert (made.action, made.kind, published.action, published.kind) == (
        *("create", "job"),
        *("publish", "model"),
    )
    assert [(each.actor, each.owner, each.request) for each in (made, published)] == [
        ("user ann", "red", "request-1")
    ] * 2


def test_a_model_of_a_training_without_a_row_is_published_by_the_system(store: JobStore) -> None:
    store.create("red~m", "train", "red~d", {})
    attempt = store.claim("red~m", "worker")
    with connect(store.engine) as connection:  # as if the row of its training were too old
        connection.execute(sa.text("UPDATE audit_horizon SET before = '2100-01-01 00:00:00'"))
        connection.execute(sa.delete(audit_table))

    store.complete_training("red~m", attempt, *RESULT)

    assert [(each.actor, each.owner) for each in log(store.engine)] == [(SYSTEM.name, "red")]


def test_texts_of_strangers_fit(engine: sa.Engine) -> None:
    begin(engine, Actor("user \0" + "x" * 999, "red"), Action.CREATE, Thing.JOB, "j" * 999, "d")

    (row,) = log(engine)
    assert (len(row.actor), len(row.name), "\0" in row.actor) == (255, 255, False)
