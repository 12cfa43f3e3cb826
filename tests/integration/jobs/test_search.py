"""Jobs are found by a text and by the name of a model, on a real database of each kind."""

import pytest

from app.database.paging import Page
from app.jobs.listing import JobFilter
from app.models.listing import ModelFilter, list_models
from app.models.versions import list_versions
from app.protocol.metric_condition import MetricCondition
from app.protocol.tags import tags_column
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import REQUEST, accept, put, wait_for_the_clock

TRAIN, PREDICT = JobKind.TRAIN, JobKind.PREDICT
NO_COLUMN = {"type": "bad_data", "detail": "no column 100%_sure/x in data set red~houses, déjà"}


@pytest.fixture
def jobs(store):
    """Five jobs of one owner and three of another one, in the order of time."""
    churn = {**REQUEST, "name": "churn"}
    made = {
        "trained": (TRAIN, "Houses", churn, {"tags": tags_column(["Nightly", "b"])}),
        "failed": (TRAIN, "cars", REQUEST, {}),
        "queued": (TRAIN, "cars", REQUEST, {}),
        "asked": (PREDICT, None, {"model_id": "trained", "model": "churn:1"}, {"inputs": "{}"}),
        "scored": (JobKind.BATCH, "cars", {"model_id": "other"}, {}),
        "red~trained": (TRAIN, "red~houses", churn, {}),
        "red~shared": (PREDICT, None, {"model_id": "bored~x", "model": "bored~churn:2"}, {}),
        "red~asked": (PREDICT, None, {"model_id": "red~x", "model": "red~churn:2"}, {}),
    }
    for job_id, (kind, dataset_id, request, more) in made.items():
        assert store.create(job_id, kind, dataset_id, request, **more)
        wait_for_the_clock(store)
    store.claim("trained", "w")
    assert store.complete_training("trained", 1, "models/m/1/", "a" * 64, {"r2": 0.5}, {})
    wait_for_the_clock(store)
    store.claim("failed", "w")
    assert store.fail("failed", 1, NO_COLUMN)
    return store


def ids(store, sort="-created_at", limit=1, **which):
    """Return the ids of all pages, which are the same whether read at once or by their places."""
    seen, cursor, wanted = [], None, JobFilter(**which)
    while True:
        page = Page(limit, sort, cursor)
        found, cursor = store.list(wanted, page)
        assert store.at(store.places(wanted, page), page) == (found, cursor)
        seen += [each.id for each in found]
        if cursor is None:
            return seen


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"text": "TRAINED"}, ["asked", "trained"]),
        ({"text": "house"}, ["failed", "trained"]),
        ({"text": "nIGHTLY"}, ["trained"]),
        ({"text": "churn"}, ["asked", "trained"]),
        ({"text": "other"}, ["scored"]),
        ({"text": "no column"}, ["failed"]),
        ({"text": "100%_sure/"}, ["failed"]),
        ({"text": "%"}, ["failed"]),
        ({"text": "_"}, ["failed"]),
        ({"text": "no%column"}, []),
        ({"text": "nothing"}, []),
        ({"text": "cars", "kind": TRAIN}, ["queued", "failed"]),
        ({"text": "cars", "state": JobStatus.QUEUED}, ["scored", "queued"]),
        ({"text": "cars", "state": JobStatus.ERROR}, ["failed"]),
        ({"text": "cars", "dataset_id": "none"}, []),
        ({"text": "churn", "tag": "b"}, ["trained"]),
        ({"text": "churn", "metric": MetricCondition.parse("r2>0.4")}, ["trained"]),
        ({"text": "churn", "metric": MetricCondition.parse("r2>0.6")}, []),
        ({"name": "churn"}, ["asked", "trained"]),
        ({"name": "churn", "kind": PREDICT}, ["asked"]),
        ({"name": "churn", "text": "house"}, ["trained"]),
        ({"name": "chur"}, []),
        ({"text": "detail"}, []),
        ({"text": "bad_data"}, ["failed"]),
        ({"text": "u00e9"}, []),
        ({"text": "déjà"}, ["failed"]),
        ({"text": "|"}, []),
        ({"text": "y|b"}, []),
        ({"name": "CHURN"}, []),
        ({"owner": "red", "text": "red"}, ["red~shared"]),
        ({"owner": "red", "text": "red~"}, ["red~asked", "red~shared", "red~trained"]),
        ({"owner": "red", "text": "bored~churn"}, ["red~shared"]),
        ({"owner": "red", "text": "red~churn"}, ["red~asked", "red~shared"]),
        ({"owner": "red", "text": "churn"}, ["red~asked", "red~shared", "red~trained"]),
        ({"owner": "red", "name": "bored~churn"}, ["red~shared"]),
        ({"owner": "red", "name": "red~churn"}, ["red~asked", "red~trained"]),
    ],
)
def test_jobs_are_found(jobs, which, expected):
    assert ids(jobs, **which) == expected
    assert ids(jobs, limit=100, **which) == expected
    assert ids(jobs, "created_at", **which) == expected[::-1]
    assert jobs.count(JobFilter(**which), 9) == len(expected)


def test_jobs_that_are_found_are_sorted_by_a_metric(jobs):
    assert ids(jobs, "-metrics.r2", text="churn") == ["trained"]
    assert ids(jobs, "-metrics.r2", name="none") == []


def test_jobs_that_are_found_are_sorted_by_their_end(jobs):
    assert ids(jobs, "ended_at", text="a") == ["trained", "failed"]


def test_the_error_that_a_job_has_now_is_searched(jobs):
    put(jobs, "failed", error={"type": "other", "detail": "a new one"})

    assert ids(jobs, text="no column") == []
    assert ids(jobs, text="a new one") == ["failed"]


def test_requests_with_characters_that_postgresql_refuses_are_found_as_all_others(store):
    request = {**REQUEST, "estimator": "lasso"}
    odd = {**request, "name": "churn", "features": ["a\0b", "\\u0000", "half \ud800", "\U0001f600"]}
    assert store.create("odd", TRAIN, "cars", odd)
    wait_for_the_clock(store)
    assert store.create("plain", TRAIN, "cars", {**request, "name": "other"})

    assert ids(store, name="churn") == ["odd"]
    assert ids(store, text="churn") == ["odd"]
    assert ids(store, text="cars") == ["plain", "odd"]
    assert ids(store, estimator="ridge") == []
    assert ids(store, estimator="lasso") == ["plain", "odd"]


def test_a_training_with_such_characters_is_published_under_its_name(store):
    assert store.create("odd", TRAIN, "cars", {**REQUEST, "name": "churn", "features": ["\0"]})
    store.claim("odd", "w")

    assert store.complete_training("odd", 1, "models/odd/1/", "a" * 64, {"r2": 0.5}, {})

    (version,), _ = list_versions(store.engine, "churn", Page(2, "-version"))
    assert (version.model_id, version.version) == ("odd", 1)
    (model,), _ = list_models(store.engine, ModelFilter(), Page(2, "-created_at"))
    assert model.model_id == "odd"


def test_an_error_that_no_database_reads_ends_its_job_all_the_same(store):
    accept(store)
    store.claim("m", "w")

    assert store.fail("m", 1, {"type": "bad_data", "detail": "half \ud800 and \0"})

    assert ids(store, text="m") == ["m"]
