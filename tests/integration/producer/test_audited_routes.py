"""Every route that changes something leaves one row in the audit log, and no other row.

The routes are those of the application: a new one needs a case here, or a reason why it changes
nothing.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.auth.api_key import NewKey
from app.auth.identity import ALL_SCOPES
from app.auth.store import create_key
from app.database.auth_tables import audit_table
from app.models.manifest import OnnxManifest
from app.models.record import StoredFile
from app.producer.app import create_app
from app.producer.routing.methods import SAFE_METHODS
from app.protocol.types import JobKind
from app.settings import Settings
from tests.support import graphs
from tests.support.application import application

CSV = b"a,b,t\n1,2,3\n3,4,5\n"
TRAINING = {"dataset_id": "d", "features": ["a"], "target": "t"}
ENDPOINT = {"kind": "endpoint", "url": "http://127.0.0.1:1/"}
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
SENT = {"X-Request-ID": "request-1"}
PREDICTIONS = {  # and a list that a POST asks for
    "/v2/repository/index",
    *("/predict", "/predict/parallel", "/predict/async", "/predict/sync_async", "/invocations"),
    *("/v2/models/{model_id}/infer", "/v2/models/{model_id}/versions/{version}/infer"),
    "/ui/models/{model_id}",
}
NEEDS_A_BROKER = {("POST", "/ui/dead-letters")}  # it writes the rows of the command


class User:
    """A key of the owner `red`, who sends requests."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.services = app.state.services
        new = NewKey(name="test", owner="red", scopes=sorted(ALL_SCOPES))
        self.key, self.text = create_key(self.services.jobs.engine, new)
        app.state.keys.refresh()
        self.cookies = httpx2.Cookies()

    def __call__(self, method: str, path: str, **more: Any) -> httpx2.Response:
        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app, client=("203.0.113.7", 1))
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost", cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **more)
                self.cookies = client.cookies
                return answer

        more["headers"] = {"X-API-Key": self.text, **SENT, **more.get("headers", {})}
        answer = asyncio.run(send())
        assert answer.status_code < 400, answer.text
        return answer

    def rows(self) -> list[sa.Row[Any]]:
        query = sa.select(audit_table).order_by(audit_table.c.created_at)
        with self.services.jobs.engine.connect() as connection:
            return list(connection.execute(query))


class Change(NamedTuple):
    """What a request leaves in the log, what must be there before it, and the request."""

    row: tuple[str, str, str | None]
    send: Callable[[User], Any]
    before: Callable[[User], Any] = lambda _: None


def put_data(user: User) -> None:
    user("PUT", "/datasets/d", content=CSV, headers={"Content-Type": "text/csv"})


def delete_seen_data(user: User) -> None:
    asked = user("GET", "/ui/datasets/d/delete").text
    (seen,) = re.findall(r'name="seen" value="(\w+)"', asked)
    user("POST", "/ui/datasets/d/delete", data={"seen": seen})


def put_model(user: User) -> None:
    user("PUT", "/models/m", json=ENDPOINT)


def put_versions(user: User) -> None:
    for number in (1, 2):
        user("PUT", f"/models/m{number}", json={**ENDPOINT, "name": "n"})


def put_unused_name(user: User) -> None:
    put_data(user)
    accepted = user("POST", "/train", json={**TRAINING, "name": "n"})
    user("DELETE", f"/jobs/{accepted.json()['message']['model_id']}")


def promote(user: User, version: int) -> None:
    user("PUT", "/models/n/aliases/a", json={"version": version})


def put_shadow(user: User) -> None:
    user("PUT", "/models/n/shadow", json={"alias": "a", "version": 2, "share": 0.5})


def train(user: User) -> None:
    user("POST", "/train", json=TRAINING)


def put_scored(user: User) -> None:
    put_data(user)
    spec = OnnxManifest.model_validate(graphs.LINEAR)
    user.services.models.register("red~linear", spec, StoredFile("key", "sha256"))


def score(user: User) -> None:
    user("POST", "/predict/batch", json={"model_id": "linear", "dataset_id": "d"})


def add_job(user: User) -> None:
    user.services.jobs.create("red~j", JobKind.TRAIN, "red~d", {})


def add_key(user: User) -> None:
    user.spare, _ = create_key(user.services.jobs.engine, NewKey(name="b", scopes=["predict"]))


def add_ended(user: User) -> None:
    put_data(user)
    user.job = user("POST", "/train", json=TRAINING).json()["message"]["model_id"]
    user("DELETE", f"/jobs/{user.job}")


def log_in(user: User) -> None:
    user("POST", "/login", headers=OWN_PAGE, data={"key": user.text})
    user.app.state.keys.refresh()


def log_out(user: User) -> None:
    user("POST", "/logout", headers=OWN_PAGE)


CHANGES: dict[tuple[str, str], Change] = {
    ("PUT", "/datasets/{dataset_id:path}"): Change(("create", "dataset", "red~d"), put_data),
    ("DELETE", "/datasets/{dataset_id}"): Change(
        ("delete", "dataset", "red~d"), lambda user: user("DELETE", "/datasets/d"), put_data
    ),
    ("PUT", "/datasets/{dataset_id}/grants/{grantee}"): Change(
        ("share", "dataset", "red~d"), lambda user: user("PUT", "/datasets/d/grants/blue"), put_data
    ),
    ("DELETE", "/datasets/{dataset_id}/grants/{grantee}"): Change(
        ("unshare", "dataset", "red~d"),
        lambda user: user("DELETE", "/datasets/d/grants/blue"),
        lambda user: (put_data(user), user("PUT", "/datasets/d/grants/blue")),
    ),
    ("PUT", "/models/{model_id}"): Change(("create", "model", "red~m"), put_model),
    ("DELETE", "/models/{model_id}"): Change(
        ("delete", "model", "red~m"), lambda user: user("DELETE", "/models/m"), put_model
    ),
    ("PUT", "/models/{model_id}/grants/{grantee}"): Change(
        ("share", "model", "red~m"), lambda user: user("PUT", "/models/m/grants/*"), put_model
    ),
    ("DELETE", "/models/{model_id}/grants/{grantee}"): Change(
        ("unshare", "model", "red~m"),
        lambda user: user("DELETE", "/models/m/grants/*"),
        lambda user: (put_model(user), user("PUT", "/models/m/grants/*")),
    ),
    ("PUT", "/names/{name}"): Change(
        ("describe", "name", "red~n"), lambda user: user("PUT", "/names/n", json={}), put_versions
    ),
    ("DELETE", "/names/{name}"): Change(
        ("delete", "name", "red~n"), lambda user: user("DELETE", "/names/n"), put_unused_name
    ),
    ("PUT", "/models/{name}/versions/{version}"): Change(
        ("describe", "name", "red~n"),
        lambda user: user("PUT", "/models/n/versions/1", json={"tags": ["a"]}),
        put_versions,
    ),
    ("PUT", "/models/{name}/split"): Change(
        ("describe", "name", "red~n"),
        lambda user: user("PUT", "/models/n/split", json={"weights": {"1": 1}}),
        put_versions,
    ),
    ("DELETE", "/models/{name}/split"): Change(
        ("describe", "name", "red~n"), lambda user: user("DELETE", "/models/n/split"), put_versions
    ),
    ("PUT", "/models/{name}/shadow"): Change(
        ("describe", "name", "red~n"),
        put_shadow,
        lambda user: (put_versions(user), promote(user, 1)),
    ),
    ("DELETE", "/models/{name}/shadow"): Change(
        ("describe", "name", "red~n"),
        lambda user: user("DELETE", "/models/n/shadow"),
        lambda user: (put_versions(user), promote(user, 1), put_shadow(user)),
    ),
    ("PUT", "/models/{name}/aliases/{alias}"): Change(
        ("promote", "alias", "red~n@a"), lambda user: promote(user, 2), put_versions
    ),
    ("POST", "/models/{name}/aliases/{alias}/rollback"): Change(
        ("roll_back", "alias", "red~n@a"),
        lambda user: user("POST", "/models/n/aliases/a/rollback"),
        lambda user: (put_versions(user), promote(user, 1), promote(user, 2)),
    ),
    ("DELETE", "/models/{name}/aliases/{alias}"): Change(
        ("delete", "alias", "red~n@a"),
        lambda user: user("DELETE", "/models/n/aliases/a"),
        lambda user: (put_versions(user), promote(user, 1)),
    ),
    ("POST", "/train"): Change(("create", "job", None), train, put_data),
    ("POST", "/predict/batch"): Change(("create", "job", None), score, put_scored),
    ("DELETE", "/jobs/{job_id}"): Change(
        ("cancel", "job", "red~j"), lambda user: user("DELETE", "/jobs/j"), add_job
    ),
    ("POST", "/keys"): Change(
        ("create", "key", None),
        lambda user: user("POST", "/keys", json={"name": "a", "scopes": ["predict"]}),
    ),
    ("POST", "/keys/{key_id}/rotate"): Change(
        ("rotate", "key", None),
        lambda user: user("POST", f"/keys/{user.spare.id}/rotate", json={}),
        add_key,
    ),
    ("DELETE", "/keys/{key_id}"): Change(
        ("revoke", "key", None), lambda user: user("DELETE", f"/keys/{user.spare.id}"), add_key
    ),
    ("POST", "/ui/datasets/{dataset_id}/upload"): Change(
        ("create", "dataset", "red~d"),
        lambda user: user(
            "POST", "/ui/datasets/d/upload", content=CSV, headers={"Content-Type": "text/csv"}
        ),
    ),
    ("POST", "/ui/models/{model_id}/delete"): Change(
        ("delete", "model", "red~m"), lambda user: user("POST", "/ui/models/m/delete"), put_model
    ),
    ("POST", "/ui/datasets/{dataset_id}/delete"): Change(
        ("delete", "dataset", "red~d"), delete_seen_data, put_data
    ),
    ("POST", "/ui/names/{name}/promote"): Change(
        ("promote", "alias", "red~n@a"),
        lambda user: user("POST", "/ui/names/n/promote", data={"alias": "a", "version": "2"}),
        put_versions,
    ),
    ("POST", "/ui/names/{name}/rollback"): Change(
        ("roll_back", "alias", "red~n@a"),
        lambda user: user("POST", "/ui/names/n/rollback", data={"alias": "a", "seen": "2"}),
        lambda user: (put_versions(user), promote(user, 1), promote(user, 2)),
    ),
    ("POST", "/ui/names/{name}/split"): Change(
        ("describe", "name", "red~n"),
        lambda user: user("POST", "/ui/names/n/split", data={"weights": "1=1"}),
        put_versions,
    ),
    ("POST", "/ui/names/{name}/end-split"): Change(
        ("describe", "name", "red~n"),
        lambda user: user("POST", "/ui/names/n/end-split"),
        put_versions,
    ),
    ("POST", "/ui/names/{name}/shadow"): Change(
        ("describe", "name", "red~n"),
        lambda user: user(
            "POST", "/ui/names/n/shadow", data={"alias": "a", "version": "2", "share": "0.5"}
        ),
        lambda user: (put_versions(user), promote(user, 1)),
    ),
    ("POST", "/ui/names/{name}/end-shadow"): Change(
        ("describe", "name", "red~n"),
        lambda user: user(
            "POST", "/ui/names/n/end-shadow", data={"seen": "version 2 for 0.5 of a"}
        ),
        lambda user: (put_versions(user), promote(user, 1), put_shadow(user)),
    ),
    ("POST", "/ui/train"): Change(
        ("create", "job", None),
        lambda user: user("POST", "/ui/train", data={"dataset_id": "d", "target": "t"}),
        put_data,
    ),
    ("POST", "/ui/jobs/{job_id}/cancel"): Change(
        ("cancel", "job", "red~j"), lambda user: user("POST", "/ui/jobs/j/cancel"), add_job
    ),
    ("POST", "/ui/jobs/{job_id}/again"): Change(
        ("create", "job", None),
        lambda user: user("POST", f"/ui/jobs/{user.job}/again"),
        add_ended,
    ),
    ("POST", "/ui/cancel-jobs"): Change(
        ("cancel", "job", "red~j"), lambda user: user("POST", "/ui/cancel-jobs"), add_job
    ),
    ("POST", "/ui/run-jobs-again"): Change(
        ("create", "job", None), lambda user: user("POST", "/ui/run-jobs-again"), add_ended
    ),
    ("POST", "/login"): Change(("login", "session", None), log_in),
    ("POST", "/logout"): Change(("logout", "session", None), log_out, log_in),
}


def unsafe_routes() -> set[tuple[str, str]]:
    """Return the method and path of each route that may change something."""
    return {
        (method, each.path or "")
        for each in iter_route_contexts(create_app(Settings(_env_file=None)).routes)
        for method in each.methods or ()
        if method not in SAFE_METHODS
    }


@pytest.fixture
def user(sqlite_url: str, s3_server: Any, bucket: str) -> Iterator[User]:
    s3 = {key.lower(): value for key, value in s3_server.s3.settings().items()}
    s3 |= {"s3_bucket_name": bucket, "invoke_hosts": "127.0.0.1:1", "auth": "on"}
    with application(sqlite_url, **s3) as app:
        yield User(app)


def test_each_route_has_a_case() -> None:
    assert unsafe_routes() == (
        CHANGES.keys() | {("POST", path) for path in PREDICTIONS} | NEEDS_A_BROKER
    )


@pytest.mark.parametrize("route", sorted(CHANGES), ids=" ".join)
def test_a_change_leaves_one_row(user: User, route: tuple[str, str]) -> None:
    change = CHANGES[route]
    change.before(user)
    before = {row.id for row in user.rows()}

    change.send(user)

    (row,) = (row for row in user.rows() if row.id not in before)
    action, kind, name = change.row
    assert (row.action, row.kind) == (action, kind)
    assert name is None or row.name == name
    assert (row.actor, row.owner) == (f"key {user.key.id}", "red")
    assert (row.address, row.request) == ("203.0.113.7", "request-1")
    assert row.outcome == ("begun" if kind == "dataset" and "share" not in action else "done")
    assert not any(user.text in str(value) for value in row)


def test_what_changes_nothing_leaves_no_row(user: User) -> None:
    put_model(user)
    user("PUT", "/models/m/grants/blue")
    before = len(user.rows())

    put_model(user)
    user("PUT", "/models/m/grants/blue")
    user("DELETE", "/models/m/grants/green")
    user("POST", "/predict/async", json={"model_id": "m", "input_data": {"a": 1}})
    user("POST", "/logout", headers=OWN_PAGE)

    assert len(user.rows()) == before


def test_a_data_set_that_is_stored_again_is_replaced(user: User) -> None:
    put_data(user)
    put_data(user)

    assert [row.action for row in user.rows()[-2:]] == ["create", "replace"]


def test_an_administrator_reads_the_log(user: User) -> None:
    put_data(user)
    put_model(user)
    user("PUT", "/models/m/grants/blue")

    first = user("GET", "/audit?limit=2&owner=red").json()
    rest = user("GET", f"/audit?limit=2&owner=red&cursor={first['next']}").json()
    found = {
        query: [each["action"] for each in user("GET", f"/audit?{query}").json()["audit"]]
        for query in (
            *("kind=model", "name=red~d", "action=share", f"actor=key {user.key.id}&kind=dataset"),
            *("since=2100-01-01T00:00:00Z", "until=2000-01-01T00:00:00Z", "owner=blue"),
            "sort=created_at&owner=red",
        )
    }

    shared, model, data = first["audit"] + rest["audit"]
    assert rest["next"] is None
    assert [each["action"] for each in (shared, model, data)] == ["share", "create", "create"]
    assert (shared["detail"], shared["outcome"], data["outcome"]) == ("blue", "done", "begun")
    assert list(found.values()) == [
        *(["share", *["create"] * 3], ["create"], ["share"], ["create"]),
        *([], [], []),
        ["create", "create", "share"],
    ]


@pytest.mark.parametrize("hours", [-11, 0, 11])
def test_a_time_of_any_zone_is_understood(user: User, hours: int) -> None:
    put_model(user)
    now = datetime.now(timezone(timedelta(hours=hours)))
    minute = timedelta(minutes=1)

    def found(**times: datetime) -> int:
        query = {"owner": "red", **{name: each.isoformat() for name, each in times.items()}}
        return len(user("GET", "/audit", params=query).json()["audit"])

    assert (found(since=now - minute), found(since=now + minute)) == (1, 0)
    assert (found(until=now + minute), found(until=now - minute)) == (1, 0)
