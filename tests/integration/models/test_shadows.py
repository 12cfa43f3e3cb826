"""Shadows and their counts, on a real database of each kind."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app import errors
from app.auth.actor import Actor
from app.database.auth_tables import audit_table
from app.models.aliases import Wanted, delete_alias, set_alias
from app.models.deletion import delete_model
from app.models.exact import Exact
from app.models.feature_counts import ComparedRow, Outcome, count_rows
from app.models.names import write_split
from app.models.references import ModelReferences
from app.models.registry import CachedModelRegistry
from app.models.shadow_counts import Counts, Pair, add_counts, read_counts
from app.models.shadow_features import add_features, read_features
from app.models.shadows import (
    ShadowVersion,
    WantedShadow,
    delete_shadow,
    read_shadow,
    write_shadow,
)
from tests.support.rows import ENDPOINT

BY = Actor("key 1")
SOME = Counts(2, 5, 1, 4, 1.5, 1.0, 3, 7)


@pytest.fixture
def registry(store):
    """Three versions of a name; `champion` is the first one."""
    made = CachedModelRegistry(store)
    for number in (1, 2, 3):
        made.register(f"m{number}", ENDPOINT, name="churn")
    point(store, 1)
    return made


@pytest.fixture
def found(store, registry):
    references = ModelReferences(store.engine, seconds=0.0)
    return references.resolve


def point(store, version, alias="champion"):
    set_alias(store.engine, "churn", alias, Wanted(version), BY, lambda _: None)


def put(store, version=3, share=0.1, alias="champion"):
    write_shadow(store.engine, "churn", WantedShadow(alias, version, share), BY)


def compared(store):
    return [(each.pair[1:], each.counts) for each in read_counts(store.engine, "churn")]


def add(store, base, version, counts=SOME):
    add_counts(store.engine, Pair("churn", base, version), counts)


def test_a_name_has_one_shadow(store, registry):
    put(store)
    put(store, 2, 0.25)

    found = read_shadow(store.engine, "churn")
    assert (found.alias, found.base_version, found.version) == ("champion", 1, 2)
    assert (found.model_id, found.share) == ("m2", 0.25)


def test_what_is_not_there_is_no_shadow(store, registry):
    engine = store.engine
    for ask in (
        lambda: put(store, 9),
        lambda: put(store, alias="nobody"),
        lambda: write_shadow(engine, "nothing", WantedShadow("champion", 1, 1.0), BY),
        lambda: read_shadow(engine, "nothing"),
        lambda: read_shadow(engine, "churn"),
        lambda: delete_shadow(engine, "nothing", BY),
    ):
        with pytest.raises(errors.NotFound):
            ask()
    registry.delete("m2", BY)
    with pytest.raises(errors.Gone):
        put(store, 2)


def test_an_error_leaves_the_shadow_as_it_was(store, registry):
    put(store)
    with pytest.raises(errors.NotFound):
        put(store, 9)

    assert read_shadow(store.engine, "churn").version == 3


def test_a_reference_knows_the_shadow_of_its_version(store, found):
    put(store)

    shadowed = Exact("m1", "churn", 1, ShadowVersion(1, 3, "m3", 0.1))
    assert found("churn@champion") == shadowed
    for other, version in (("churn", 3), ("churn:1", 1)):
        assert found(other) == Exact(f"m{version}", "churn", version)
    point(store, 1, "other")
    assert found("churn@other") == Exact("m1", "churn", 1)
    point(store, 2)
    assert found("churn@champion").shadow == ShadowVersion(2, 3, "m3", 0.1)
    delete_shadow(store.engine, "churn", BY)
    assert found("churn@champion") == Exact("m2", "churn", 2)


def test_a_bare_name_has_the_shadow_where_it_is_the_version_of_the_alias(store, found):
    put(store)
    write_split(store.engine, "churn", {1: 1}, BY)
    assert found("churn").shadow == ShadowVersion(1, 3, "m3", 0.1)
    write_split(store.engine, "churn", {2: 1}, BY)
    assert found("churn") == Exact("m2", "churn", 2)
    write_split(store.engine, "churn", None, BY)
    point(store, 3)
    put(store, 2)
    assert found("churn") == Exact("m3", "churn", 3, ShadowVersion(3, 2, "m2", 0.1))


def test_a_version_is_not_compared_with_itself(store, found):
    put(store)
    point(store, 3)

    assert found("churn@champion") == Exact("m3", "churn", 3)
    delete_alias(store.engine, "churn", "champion", None, BY, lambda _: None)
    assert read_shadow(store.engine, "churn").base_version is None
    assert found("churn") == Exact("m3", "churn", 3)


def test_counts_of_all_producers_add_up(store, registry):
    put(store)
    producers = 6
    barrier = threading.Barrier(producers)

    def work(number):
        barrier.wait()
        for _ in range(5):
            add(store, 1, 3, Counts(1, 2, 1, 2, 0.5, float(number)))

    with ThreadPoolExecutor(producers) as pool:
        list(pool.map(work, range(producers)))

    assert compared(store) == [((1, 3), Counts(30, 60, 30, 60, 15.0, 5.0))]


def test_counts_belong_to_two_versions(store, registry):
    put(store)
    add(store, 1, 3)
    add(store, 2, 3, Counts(dropped=1))  # the alias points elsewhere
    put(store, 2)
    add(store, 1, 2)
    add(store, 1, 2)
    put(store, 3)
    add(store, 1, 3)

    assert dict(compared(store)) == {
        (1, 3): SOME + SOME,
        (2, 3): Counts(dropped=1),
        (1, 2): SOME + SOME,
    }
    for each in read_counts(store.engine, "churn"):
        assert each.created_at <= each.updated_at


def test_counts_end_with_the_shadow(store, registry):
    put(store)
    add(store, 1, 3)
    assert delete_shadow(store.engine, "churn", BY)
    add(store, 1, 3)  # a producer writes what it counted before
    assert not delete_shadow(store.engine, "churn", BY)
    put(store, 2)
    add(store, 1, 3)

    assert compared(store) == []


def test_a_shadow_is_not_deleted(store, registry):
    put(store)
    with pytest.raises(errors.Conflict, match="churn:3 is the shadow of churn@champion"):
        registry.delete("m3", BY)
    delete_shadow(store.engine, "churn", BY)

    assert delete_model(store.engine, "m3", BY)


def test_each_change_is_in_the_audit_log(store, registry):
    put(store)
    delete_shadow(store.engine, "churn", BY)
    delete_shadow(store.engine, "churn", BY)

    column = audit_table.c
    query = sa.select(column.action, column.kind, column.actor, column.detail)
    query = query.where(column.name == "churn", column.detail.contains("shadow"))
    with store.engine.connect() as connection:
        rows = sorted(tuple(each) for each in connection.execute(query))
    assert rows == [
        ("describe", "name", "key 1", "no shadow"),
        ("describe", "name", "key 1", "shadow of champion: churn:3, 0.1"),
    ]


def test_shadows_that_are_put_at_a_time_leave_one(store, registry):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: put(store, 2 + number % 2), range(12)))

    assert read_shadow(store.engine, "churn").version in (2, 3)


PAIR = Pair("churn", 1, 3)


def rows(*values):
    return [ComparedRow({"a": each}, Outcome(disagreed=True, difference=0.5)) for each in values]


def test_counts_by_feature_of_all_producers_add_up(store, registry):
    put(store)
    add(store, 1, 3)
    producers = 6
    barrier = threading.Barrier(producers)

    def work(number):
        barrier.wait()
        for _ in range(5):
            add_features(store.engine, PAIR, count_rows(rows(number, "\ud800\0é", None)))

    with ThreadPoolExecutor(producers) as pool:
        list(pool.map(work, range(producers)))

    wanted = count_rows(rows(*range(producers), *["\ud800\0é", None] * producers) * 5)
    assert read_features(store.engine, PAIR) == wanted
    assert compared(store) == [((1, 3), SOME)]


def test_counts_by_feature_come_and_go_with_those_of_the_pair(store, registry):
    put(store)
    add_features(store.engine, PAIR, count_rows(rows(1)))
    assert read_features(store.engine, PAIR) is None
    add(store, 1, 3)
    assert read_features(store.engine, PAIR) is None
    add_features(store.engine, PAIR, count_rows(rows(1)))
    assert read_features(store.engine, PAIR) == count_rows(rows(1))
    delete_shadow(store.engine, "churn", BY)
    put(store)
    add(store, 1, 3)

    assert read_features(store.engine, PAIR) is None
