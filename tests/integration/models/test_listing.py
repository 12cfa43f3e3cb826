"""Lists of models and of jobs, on a real database of each kind."""

import json
from base64 import urlsafe_b64encode

import pytest

from app import errors
from app.database.paging import Page
from app.jobs.listing import JobFilter
from app.models.listing import ModelFilter
from app.models.registry import CachedModelRegistry
from app.protocol.metric_condition import MetricCondition
from app.protocol.tags import tags_column
from app.protocol.types import JobKind, JobStatus, ModelKind
from tests.support.rows import ENDPOINT, REQUEST, wait_for_the_clock

SCORES = {"a": 0.5, "b": 0.25, "c": 0.75, "d": 1e-300, "e": None}


@pytest.fixture
def registry(store):
    """Five trained models, the last without a score, and a remote one, in the order of time."""
    for number, (model_id, score) in enumerate(SCORES.items()):
        tags = tags_column(["all", "x_y" if number % 2 else "x-y"])
        estimator = {"estimator": "ridge"} if number == 0 else {}
        more = {"tags": tags, "dataset_version": f"v{number % 2}"}
        store.create(model_id, JobKind.TRAIN, f"set{number // 3}", {**REQUEST, **estimator}, **more)
        attempt = store.claim(model_id, "w")
        metrics = {} if score is None else {"r2": score}
        fitted = {"estimator": "lasso" if number == 1 else "random_forest_regressor"}
        summary = {} if number == 0 else fitted
        assert store.complete_training(
            model_id, attempt, f"models/{model_id}/1/", "a" * 64, metrics, summary
        )
        wait_for_the_clock(store)
    found = CachedModelRegistry(store)
    found.register("remote", ENDPOINT)
    return found


def ids(registry, sort="-created_at", limit=100, **which):
    """Return the ids of all pages; check that only the last one ends the list."""
    seen, cursor = [], None
    while True:
        found, cursor = registry.list(ModelFilter(**which), Page(limit, sort, cursor))
        seen += [each.model_id for each in found]
        if cursor is None:
            return seen
        assert len(found) == limit


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, ["remote", "e", "d", "c", "b", "a"]),
        ({"dataset_id": "set0"}, ["c", "b", "a"]),
        ({"dataset_id": "set0", "dataset_version": "v1"}, ["b"]),
        ({"kind": ModelKind.ENDPOINT}, ["remote"]),
        ({"kind": ModelKind.TRAINED, "dataset_id": "none"}, []),
        ({"estimator": "ridge"}, ["a"]),
        ({"estimator": "lasso"}, ["b"]),
        ({"estimator": "random_forest_regressor"}, ["e", "d", "c"]),
        ({"tag": "all"}, ["e", "d", "c", "b", "a"]),
        ({"tag": "ALL"}, []),
        ({"tag": "x_y"}, ["d", "b"]),
        ({"tag": "x"}, []),
        ({"metric": MetricCondition.parse("r2>=0.5")}, ["c", "a"]),
        ({"metric": MetricCondition.parse("r2<0.5")}, ["d", "b"]),
        ({"metric": MetricCondition.parse("rmse>0")}, []),
    ],
)
@pytest.mark.parametrize("limit", [100, 1])
def test_models_are_filtered(registry, which, expected, limit):
    assert ids(registry, limit=limit, **which) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created_at", ["a", "b", "c", "d", "e", "remote"]),
        ("-created_at", ["remote", "e", "d", "c", "b", "a"]),
        ("model_id", ["a", "b", "c", "d", "e", "remote"]),
        ("-trained_at", ["e", "d", "c", "b", "a"]),
        ("metrics.r2", ["d", "b", "a", "c"]),
        ("-metrics.r2", ["c", "a", "b", "d"]),
        ("metrics.rmse", []),
    ],
)
def test_models_are_sorted_page_by_page(registry, sort, expected, limit):
    assert ids(registry, sort, limit) == expected


def test_rows_with_the_same_value_are_on_one_page_each(store):
    registry = CachedModelRegistry(store)
    for name in "abcdefg":
        store.create(name, JobKind.TRAIN, "d", REQUEST)
        attempt = store.claim(name, "w")
        assert store.complete_training(
            name, attempt, f"models/{name}/1/", "a" * 64, {"r2": 0.1}, {}
        )

    assert ids(registry, "metrics.r2", 2) == list("abcdefg")
    assert ids(registry, "-metrics.r2", 2) == list("gfedcba")


def test_a_model_that_comes_between_two_pages_moves_none(store, registry):
    first, cursor = registry.list(ModelFilter(), Page(2, "-created_at"))
    registry.register("newer", ENDPOINT)

    second, _ = registry.list(ModelFilter(), Page(2, "-created_at", cursor))

    assert [each.model_id for each in (*first, *second)] == ["remote", "e", "d", "c"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "bm9uZQ==", "W10=", "WyItY3JlYXRlZF9hdCIsIDEsICJhIl0=", "\u00fc"]
)
def test_a_cursor_that_was_not_returned_is_refused(registry, cursor):
    with pytest.raises(errors.Invalid) as caught:
        registry.list(ModelFilter(), Page(2, "-created_at", cursor))
    assert caught.value.extra["field"] == "cursor"


@pytest.mark.parametrize(
    "place",
    [
        ["2025-01-01T00:00:00+00:00", "\ud800"],
        ["2025-01-01T00:00:00+00:00", "a\0b"],
        ["yesterday", "a"],
        ["2025-01-01T00:00:00", "a"],  # without its zone
        [True, "a"],
        [1, "a"],
        [["2025-01-01"], "a"],
        ["2025-01-01T00:00:00+00:00", None],
    ],
)
def test_a_cursor_with_another_place_is_refused(registry, place):
    cursor = urlsafe_b64encode(json.dumps(["-created_at", *place]).encode()).decode()
    with pytest.raises(errors.Invalid, match="use the cursor of the page before"):
        registry.list(ModelFilter(), Page(2, "-created_at", cursor))


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), "0.5", True])
def test_a_cursor_with_no_number_in_an_order_by_numbers_is_refused(registry, value):
    cursor = urlsafe_b64encode(json.dumps(["metrics.r2", value, "a"]).encode()).decode()
    with pytest.raises(errors.Invalid, match="use the cursor of the page before"):
        registry.list(ModelFilter(), Page(2, "metrics.r2", cursor))


@pytest.mark.parametrize("sort", [None, True, {}, ["x"]])
def test_a_cursor_of_no_order_is_refused(registry, sort):
    cursor = urlsafe_b64encode(json.dumps([sort, "x", "a"]).encode()).decode()
    with pytest.raises(errors.Invalid, match="use the cursor of the page before"):
        registry.list(ModelFilter(), Page(2, "-created_at", cursor))


def test_a_cursor_of_another_order_is_refused(registry):
    _, cursor = registry.list(ModelFilter(), Page(2, "-metrics.r2"))
    with pytest.raises(errors.Invalid, match=r'sorted by "-metrics\.r2"'):
        registry.list(ModelFilter(), Page(2, "metrics.r2", cursor))


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, ["p", "q", "w", "e", "d", "c", "b", "a"]),
        ({"state": JobStatus.COMPLETED}, ["e", "d", "c", "b", "a"]),
        ({"kind": JobKind.PREDICT}, ["p"]),
        ({"dataset_id": "set1"}, ["e", "d"]),
        ({"estimator": "ridge"}, ["q", "a"]),
        # Which one `w` gets is not known before its target is read.
        ({"estimator": "random_forest_regressor"}, ["e", "d", "c"]),
        ({"estimator": "random_forest_classifier"}, []),
        ({"tag": "x-y"}, ["e", "c", "a"]),
        ({"metric": MetricCondition.parse("r2>0.3")}, ["c", "a"]),
    ],
)
def test_jobs_are_filtered(store, registry, which, expected):
    wait_for_the_clock(store)
    store.create("w", JobKind.TRAIN, "other", REQUEST)
    wait_for_the_clock(store)
    store.create("q", JobKind.TRAIN, "other", {**REQUEST, "estimator": "ridge"})
    wait_for_the_clock(store)
    store.create("p", JobKind.PREDICT, None, {"model_id": "a"}, inputs="{}")
    seen, cursor = [], None
    while True:
        found, cursor = store.list(JobFilter(**which), Page(2, "-created_at", cursor))
        seen += [each.id for each in found]
        if cursor is None:
            break

    assert seen == expected


def test_a_fit_of_an_older_version_that_does_not_tell_its_estimator_is_a_regressor(store):
    store.create("old", JobKind.TRAIN, "d", REQUEST)
    attempt = store.claim("old", "w")
    assert store.complete_training("old", attempt, "models/old/1/", "a" * 64, {}, {})
    which = {"estimator": "random_forest_regressor"}

    jobs, _ = store.list(JobFilter(**which), Page(2, "-created_at"))

    assert [each.id for each in jobs] == ids(CachedModelRegistry(store), **which) == ["old"]


def test_jobs_are_sorted_by_their_metrics(store, registry):
    found, _ = store.list(JobFilter(), Page(3, "-metrics.r2"))

    assert [each.id for each in found] == ["c", "a", "b"]
