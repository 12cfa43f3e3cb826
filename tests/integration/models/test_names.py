"""Names, versions and aliases of models, on a real database of each kind."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from app import errors
from app.auth.actor import Actor
from app.auth.grants import Grants, Kind
from app.database.auth_tables import audit_table
from app.database.name_tables import alias_history_table
from app.database.paging import Page
from app.models.alias_history import read_alias_at, read_history
from app.models.aliases import (
    MAX_ALIASES,
    Wanted,
    delete_alias,
    list_aliases,
    read_alias,
    roll_back,
    set_alias,
)
from app.models.exact import Exact
from app.models.names import delete_name, describe_name, list_names, read_name, write_split
from app.models.references import ModelReferences
from app.models.registry import CachedModelRegistry
from app.models.versions import describe_version, list_versions, read_version, version_of
from app.protocol.types import JobKind
from tests.support.rows import ENDPOINT, REQUEST, RESULT

BY = Actor("key 1")
ALL = Page(100, "-version")
CHANGES = Page(100, "change")
NAMED = {**REQUEST, "name": "churn"}


@pytest.fixture
def registry(store):
    return CachedModelRegistry(store)


@pytest.fixture
def references(store):
    return ModelReferences(store.engine, seconds=0.0)


def train(store, job_id, name="churn"):
    """Accept a training with a name and claim it; return the number of the attempt."""
    request = {**REQUEST, "name": name}
    assert store.create(job_id, JobKind.TRAIN, "d", request, model_name=name)
    return store.claim(job_id, "worker")


def publish(store, *job_ids, name="churn"):
    for job_id in job_ids:
        assert store.complete_training(job_id, train(store, job_id, name), *RESULT)


def point(store, alias, version, **more):
    wanted = Wanted(version, **more)
    return set_alias(store.engine, "churn", alias, wanted, BY, lambda _: None).change


def back(store, alias="champion"):
    return roll_back(store.engine, "churn", alias, None, BY, lambda _: None).version


def found(references, text):
    exact = references.resolve(text)
    return exact.model_id, exact.version


def numbers(store, name="churn"):
    return {each.model_id: each.version for each in list_versions(store.engine, name, ALL)[0]}


def test_each_published_model_is_the_next_version(store, registry):
    publish(store, "first")
    train(store, "failed")
    assert store.fail("failed", 1, {"type": "bad_data", "detail": "no"})
    registry.register("far", ENDPOINT, name="churn")
    publish(store, "last")

    assert numbers(store) == {"first": 1, "far": 2, "last": 3}
    assert read_name(store.engine, "churn").last_version == 3
    assert version_of(store.engine, "first").text == "churn:1"
    assert version_of(store.engine, "failed") is None


def test_a_result_that_is_written_twice_is_one_version(store):
    attempt = train(store, "m")
    assert store.complete_training("m", attempt, *RESULT)
    assert store.complete_training("m", attempt, *RESULT)  # the answer to the commit was lost
    assert not store.complete_training("m", attempt + 1, *RESULT)

    assert numbers(store) == {"m": 1}


def test_models_that_are_published_at_a_time_get_different_numbers(store):
    attempts = {f"m{n}": train(store, f"m{n}") for n in range(8)}
    barrier = threading.Barrier(len(attempts))

    def complete(job_id):
        barrier.wait()
        return store.complete_training(job_id, attempts[job_id], *RESULT)

    with ThreadPoolExecutor(len(attempts)) as pool:
        assert all(pool.map(complete, attempts))

    assert sorted(numbers(store).values()) == list(range(1, 9))


def test_a_name_is_no_id_and_an_id_is_no_name(store, registry):
    publish(store, "m")
    registry.register("far", ENDPOINT)

    for taken in ("m", "far"):
        with pytest.raises(errors.Conflict, match=f"name: {taken} is the id of a model or a job"):
            store.create("next", JobKind.TRAIN, "d", REQUEST, model_name=taken)
        with pytest.raises(errors.Conflict, match="name: "):
            registry.register("next", ENDPOINT, name=taken)
    with pytest.raises(errors.Conflict, match="model_id: churn is the name of models"):
        registry.register("churn", ENDPOINT)
    with pytest.raises(errors.Conflict, match="churn is taken"):
        store.create("churn", JobKind.TRAIN, "d", REQUEST, named=True)
    assert store.get("next") is None
    assert registry.register("next", ENDPOINT, name="churn")


def test_a_name_and_an_id_that_are_asked_for_at_a_time_do_not_both_come(store, registry):
    for n in range(6):
        text, barrier = f"both{n}", threading.Barrier(2)

        def as_name(text=text, barrier=barrier):
            barrier.wait()
            return store.create(f"{text}-model", JobKind.TRAIN, "d", REQUEST, model_name=text)

        def as_id(text=text, barrier=barrier):
            barrier.wait()
            return registry.register(text, ENDPOINT)

        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(as_name), pool.submit(as_id)]
            outcomes = [call.exception() for call in calls]

        assert sum(isinstance(each, errors.Conflict) for each in outcomes) == 1, outcomes


def test_a_reference_means_a_version(store, references):
    publish(store, "first", "second", "third")
    assert point(store, "champion", 2)

    assert found(references, "churn") == ("third", 3)
    assert found(references, "churn:1") == ("first", 1)
    assert found(references, "churn@champion") == ("second", 2)
    assert found(references, "second") == ("second", None)
    for text, said in {
        "churn:4": "churn has no version 4; its newest one is 3",
        "churn@champoin": 'churn has no alias champoin; did you mean "champion"?',
        "chrun:1": 'there is no name chrun; did you mean "churn"?',
    }.items():
        with pytest.raises(errors.NotFound) as caught:
            references.resolve(text)
        assert caught.value.message == said


def test_a_bare_name_is_the_newest_version_that_can_answer(store, registry, references):
    train(store, "waits")
    with pytest.raises(errors.NotReady, match="churn has no version yet"):
        references.resolve("churn")
    publish(store, "first", "second")
    registry.delete("second")

    assert found(references, "churn") == ("first", 1)
    with pytest.raises(errors.Gone, match="churn:2 was deleted"):
        references.resolve("churn:2")
    assert read_version(store.engine, "churn", 2).deleted_at
    publish(store, "third")
    assert numbers(store)["third"] == 3  # the number of the deleted one is used
    for each in ("first", "third"):
        registry.delete(each)
    with pytest.raises(errors.Gone, match="all versions of churn were deleted"):
        references.resolve("churn")


def test_an_alias_keeps_its_model(store, registry):
    publish(store, "first", "second")
    point(store, "champion", 1)

    with pytest.raises(errors.Conflict, match="churn@champion points to churn:1") as caught:
        registry.delete("first")

    assert caught.value.extra["aliases"] == ["champion"]
    point(store, "best", 1)
    with pytest.raises(errors.Conflict, match=r"@best, churn@champion point to .*; point them to"):
        registry.delete("first")
    point(store, "best", 2)
    assert registry.get("first").model_id == "first"
    point(store, "champion", 2)
    registry.delete("first")
    with pytest.raises(errors.Gone, match="churn:1 was deleted"):
        point(store, "champion", 1)


def test_a_model_is_not_deleted_while_an_alias_comes_to_it(store, registry):
    for n in range(6):
        name, barrier = f"race{n}", threading.Barrier(2)
        registry.register(f"{name}-1", ENDPOINT, name=name)

        def promote(name=name, barrier=barrier):
            barrier.wait()
            return set_alias(store.engine, name, "champion", Wanted(1), BY, lambda _: None)

        def delete(name=name, barrier=barrier):
            barrier.wait()
            return registry.delete(f"{name}-1")

        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(each) for each in (promote, delete)]
            promoted, deleted = (call.exception() for call in calls)

        assert [type(promoted), type(deleted)] in (
            [type(None), errors.Conflict],
            [errors.Gone, type(None)],
        )


def test_the_history_says_who_when_from_to_and_why(store):
    publish(store, "first", "second")
    assert point(store, "champion", 1, why="the first one") == 1
    assert point(store, "champion", 2, forced=True, comparison={"metric": "r2"}) == 2
    assert point(store, "champion", 2) == 2  # which changes nothing
    assert back(store) == 1
    assert delete_alias(store.engine, "churn", "champion", "no more", BY, lambda _: None)
    assert not delete_alias(store.engine, "churn", "champion", None, BY, lambda _: None)

    changes, following = read_history(store.engine, "churn", "champion", CHANGES)

    told = [(c.change, c.kind, c.from_version, c.to_version, c.why, c.forced) for c in changes]
    assert told == [
        (1, "set", None, 1, "the first one", False),
        (2, "set", 1, 2, None, True),
        (3, "rollback", 2, 1, None, False),
        (4, "delete", 1, None, "no more", False),
    ]
    assert {each.actor for each in changes} == {"key 1"}
    assert changes[1].comparison == {"metric": "r2"}
    assert following is None
    assert list_aliases(store.engine, "churn") == []
    newest = {each.changed_at: each for each in changes}  # two may have the same millisecond
    for time, change in newest.items():
        assert read_alias_at(store.engine, "churn", "champion", time) == change
    early = changes[0].changed_at.replace(year=2000)
    with pytest.raises(errors.NotFound, match="pointed to nothing at 2000"):
        read_alias_at(store.engine, "churn", "champion", early)
    late = changes[3].changed_at.replace(year=2999)
    with pytest.raises(errors.Invalid, match=r"at: 2999.* has not come yet"):
        read_alias_at(store.engine, "churn", "champion", late)
    with store.engine.connect() as connection:
        audited = connection.execute(
            sa.select(audit_table.c.action, audit_table.c.name, audit_table.c.detail)
            .where(audit_table.c.kind == "alias")
            .order_by(audit_table.c.action, audit_table.c.detail)
        ).all()
    assert [tuple(row) for row in audited] == [
        ("delete", "churn@champion", None),
        ("promote", "churn@champion", "churn:1"),
        ("promote", "churn@champion", "churn:2"),
        ("roll_back", "churn@champion", "churn:1"),
    ]


def test_a_page_of_the_history_goes_on(store):
    publish(store, "first", "second")
    for version in (1, 2, 1):
        point(store, "champion", version)

    first, cursor = read_history(store.engine, "churn", "champion", Page(2, "-change"))
    rest, end = read_history(store.engine, "churn", "champion", Page(2, "-change", cursor))

    assert [each.change for each in first + rest] == [3, 2, 1]
    assert end is None


@pytest.mark.parametrize("statement", [sa.delete, sa.update], ids=["delete", "update"])
def test_nobody_changes_the_history(store, statement):
    publish(store, "first")
    point(store, "champion", 1)
    change = statement(alias_history_table)
    if statement is sa.update:
        change = change.values(why="another")

    with pytest.raises(DatabaseError, match="append-only"), store.engine.connect() as connection:
        connection.execute(change)


def test_each_rollback_goes_one_step_back(store):
    publish(store, "first", "second", "third")
    for version in (1, 2, 3):
        point(store, "champion", version)

    assert [back(store), back(store)] == [2, 1]
    with pytest.raises(errors.Conflict, match="has pointed to nothing before"):
        back(store)
    point(store, "champion", 3)
    assert back(store) == 1
    assert read_alias(store.engine, "churn", "champion").version == 1


def test_a_rollback_to_a_deleted_version_is_refused(store, registry):
    publish(store, "first", "second")
    point(store, "champion", 1)
    point(store, "champion", 2)
    registry.delete("first")

    with pytest.raises(errors.Gone, match="churn:1 was deleted; choose another"):
        back(store)

    assert read_alias(store.engine, "churn", "champion").version == 2


def test_a_check_sees_the_newest_change_and_may_refuse(store):
    publish(store, "first", "second")
    seen = []

    def refuse(change):
        seen.append(change)
        raise errors.Conflict("alias", "not now")

    for _ in range(2):
        with pytest.raises(errors.Conflict, match="not now"):
            set_alias(store.engine, "churn", "champion", Wanted(2), BY, refuse)
        point(store, "champion", 1)

    assert seen == [None, 1]
    assert read_alias(store.engine, "churn", "champion").version == 1


def test_what_is_not_there_is_not_found(store):
    publish(store, "first")
    for call in (
        lambda: point(store, "champion", 2),
        lambda: back(store),
        lambda: read_alias(store.engine, "churn", "champion"),
        lambda: read_history(store.engine, "churn", "champion", CHANGES),
        lambda: list_aliases(store.engine, "other"),
        lambda: list_versions(store.engine, "other", ALL),
        lambda: read_version(store.engine, "churn", 2),
        lambda: describe_name(store.engine, "other", None, [], BY),
        lambda: describe_version(store.engine, "churn", 2, None, [], BY),
        lambda: write_split(store.engine, "churn", {2: 1.0}, BY),
        lambda: write_split(store.engine, "other", None, BY),
    ):
        with pytest.raises(errors.NotFound):
            call()


def test_a_name_has_so_many_aliases_and_no_more(store):
    publish(store, "first")
    for n in range(MAX_ALIASES):
        assert point(store, f"a{n}", 1)

    with pytest.raises(errors.Conflict, match="has 100 aliases; delete one"):
        point(store, "one-more", 1)

    assert len(version_of(store.engine, "first").aliases) == MAX_ALIASES


def test_descriptions_and_tags_are_replaced(store):
    publish(store, "first")
    describe_name(store.engine, "churn", "who leaves", ["sales", "b"], BY)
    describe_version(store.engine, "churn", 1, "the first", ["x"], BY)
    publish(store, "another", name="other")

    named, version = read_name(store.engine, "churn"), read_version(store.engine, "churn", 1)
    tagged, _ = list_names(store.engine, "default", Page(9, "name"), "sales")

    assert (named.description, named.tags) == ("who leaves", ["sales", "b"])
    assert (version.description, version.tags) == ("the first", ["x"])
    assert [each.name for each in tagged] == ["churn"]
    describe_name(store.engine, "churn", None, [], BY)
    assert read_name(store.engine, "churn").tags == []


def test_a_name_without_versions_is_deleted_and_free_again(store, registry, references):
    attempt = train(store, "job")
    with pytest.raises(errors.Conflict, match="a training that has not ended has the name churn"):
        delete_name(store.engine, "churn", BY)
    store.fail("job", attempt, errors.BadData("target", "it is odd").to_wire())
    Grants(store.engine).give(Kind.MODEL, "churn", "red", BY)

    delete_name(store.engine, "churn", BY)
    delete_name(store.engine, "churn", BY)  # a second time is no error

    assert list_names(store.engine, "default", Page(9, "name"))[0] == []
    assert Grants(store.engine).readers(Kind.MODEL, "churn") == set()
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(audit_table).where(audit_table.c.action == "delete"))
        assert [(each.kind, each.name) for each in rows] == [("name", "churn")]
    assert registry.register("churn", ENDPOINT)  # as the id of a model
    assert found(references, "churn") == ("churn", None)


def test_a_name_that_has_had_a_version_stays(store, registry):
    publish(store, "job")
    with pytest.raises(errors.Conflict, match="churn has had a version, whose number"):
        delete_name(store.engine, "churn", BY)
    registry.delete("job", BY)
    with pytest.raises(errors.Conflict, match="delete the models, such as churn:1"):
        delete_name(store.engine, "churn", BY)
    assert numbers(store) == {"job": 1}


def test_names_are_listed_page_by_page_for_their_owner(store, registry):
    for n in range(3):
        registry.register(f"m{n}", ENDPOINT, name=f"name{n}")
    registry.register("red~m", ENDPOINT, name="red~name")

    first, cursor = list_names(store.engine, "default", Page(2, "name"))
    rest, end = list_names(store.engine, "default", Page(2, "name", cursor))

    assert [each.name for each in first + rest] == ["name0", "name1", "name2"]
    assert end is None
    assert [each.name for each in list_names(store.engine, "red", Page(2, "name"))[0]] == [
        "red~name"
    ]


def test_calls_of_a_name_are_split_by_weight_and_key(store, registry, references):
    publish(store, "first", "second", "third")
    write_split(store.engine, "churn", {1: 3.0, 2: 1.0, 3: 0.0}, BY)

    keys = [f"customer-{n}" for n in range(2000)]
    cached = ModelReferences(store.engine, seconds=1e6)
    chosen = [cached.resolve("churn", key).version for key in keys]

    assert chosen == [cached.resolve("churn", key).version for key in keys]
    assert 1400 < chosen.count(1) < 1600  # of 1500: the keys are always the same
    assert chosen.count(1) + chosen.count(2) == 2000
    assert references.resolve("churn").version in (1, 2)
    whole = asyncio.run(references.find("churn", splits=False))
    assert (whole.model_id, whole.version) == ("third", 3)  # of what is no call
    assert found(references, "churn:3") == ("third", 3)
    with pytest.raises(errors.Conflict, match="calls of churn are split to churn:2"):
        registry.delete("second")
    write_split(store.engine, "churn", None, BY)
    registry.delete("second")
    assert found(references, "churn") == ("third", 3)


def test_a_grant_of_a_name_is_one_of_its_versions(store, registry):
    publish(store, "first")
    registry.register("alone", ENDPOINT)
    grants = Grants(store.engine, seconds=0.0)
    grants.give(Kind.MODEL, "churn", "blue")

    assert grants.readers(Kind.MODEL, "first") == grants.readers(Kind.MODEL, "churn") == {"blue"}
    assert grants.readers(Kind.MODEL, "alone") == frozenset()
    grants.revoke(Kind.MODEL, "churn", "blue")
    assert grants.readers(Kind.MODEL, "first") == frozenset()


def test_an_answer_counts_for_its_time_and_longer_without_a_database(store):
    now = [0.0]
    references = ModelReferences(store.engine, seconds=1.0, timer=lambda: now[0])
    publish(store, "first", "second")
    point(store, "champion", 1)
    assert found(references, "churn@champion") == ("first", 1)

    point(store, "champion", 2)
    assert found(references, "churn@champion") == ("first", 1)
    now[0] = 1.5
    assert found(references, "churn@champion") == ("second", 2)
    references.forget()
    point(store, "champion", 1)
    assert found(references, "churn@champion") == ("first", 1)


def test_an_id_of_a_model_is_looked_for_once(store, registry):
    asked = []
    references = ModelReferences(store.engine, seconds=0.0)
    registry.register("far", ENDPOINT)
    sa.event.listen(store.engine, "before_cursor_execute", lambda *each: asked.append(each[2]))
    assert references.resolve("far") == Exact("far")
    once = len(asked)
    for _ in range(3):
        references.resolve("far")
        references.resolve("0" * 32)
        references.resolve("red~" + "0" * 32)

    assert len(asked) == once > 0


def test_answers_count_on_while_the_database_is_away(store, registry):
    away = []

    def fail(*_):
        if away:
            raise sa.exc.OperationalError("", None, Exception("away"))

    references = ModelReferences(store.engine, seconds=0.0)
    publish(store, "first")
    point(store, "champion", 1)
    sa.event.listen(store.engine, "before_cursor_execute", fail)
    assert found(references, "churn@champion") == ("first", 1)

    away.append(True)

    assert found(references, "churn@champion") == ("first", 1)
    assert references.resolve("iris") == Exact("iris")  # it may be an id
    with pytest.raises(errors.DatabaseUnavailable):
        references.resolve("churn:1")
    away.clear()
    assert found(references, "churn:1") == ("first", 1)
