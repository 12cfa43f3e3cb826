"""The routes for keys, over a database: what an administrator sees and sends."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.auth.api_key import NewKey
from app.auth.identity import Scope
from app.auth.store import add_example_key, create_key
from tests.support.application import application

NEW = {"name": "nightly", "owner": "team", "scopes": ["train", "data"], "days": 1}

HERE = "http://localhost"


class Admin:
    """A client with a key of the scope `admin`."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.keys = app.state.keys
        _, self.text = create_key(self.keys.engine, NewKey(name="a", scopes=[Scope.ADMIN]))
        self.keys.refresh()

    def __call__(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                headers = {"X-API-Key": self.text}
                return await client.request(method, path, json=body, headers=headers)

        return asyncio.run(send())

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("GET", "/keys").json()["keys"]
        return [each for each in found if each["name"] != "a"]

    def lets_in(self, text: str) -> bool:
        return self.keys.identify(text.encode()) is not None


@pytest.fixture
def admin(sqlite_url) -> Iterator[Admin]:
    with application(sqlite_url, auth="on") as app:
        yield Admin(app)


def test_a_key_is_shown_once(admin: Admin) -> None:
    answer = admin("POST", "/keys", NEW)

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    text = made.pop("key")
    assert admin.lets_in(text)
    assert admin.listed() == [made]
    assert {name: made[name] for name in ("name", "owner", "scopes")} == {
        "name": "nightly", "owner": "team", "scopes": ["train", "data"],
    }  # fmt: skip
    assert made["expires_at"] > made["created_at"]
    assert text not in admin("GET", "/keys").text


def test_a_key_belongs_to_the_default_owner_and_never_expires_unless_said(admin: Admin) -> None:
    made = admin("POST", "/keys", {"name": "n", "scopes": ["jobs", "jobs"]}).json()

    assert (made["owner"], made["expires_at"], made["scopes"]) == ("default", None, ["jobs"])


def test_a_key_has_limits_of_its_own_and_a_rotation_keeps_them(admin: Admin) -> None:
    limits = {"max_requests": 0.5, "max_rows": 1000, "max_queued": 20}
    free, made = (admin("POST", "/keys", {**NEW, **each}).json() for each in ({}, limits))

    rotated = admin("POST", f"/keys/{made['id']}/rotate", {}).json()

    assert [{name: each[name] for name in limits} for each in (free, made, rotated)] == [
        dict.fromkeys(limits), limits, limits,
    ]  # fmt: skip
    assert {each["id"]: each["max_queued"] for each in admin.listed()} == {
        free["id"]: None, made["id"]: 20, rotated["id"]: 20,
    }  # fmt: skip


def test_a_revoked_key_lets_nobody_in(admin: Admin) -> None:
    made = admin("POST", "/keys", NEW).json()

    first = admin("DELETE", f"/keys/{made['id']}")

    assert first.status_code == 200
    assert first.json()["revoked_at"]
    assert not admin.lets_in(made["key"])
    assert admin("DELETE", f"/keys/{made['id']}").json() == first.json()
    refused = admin("POST", f"/keys/{made['id']}/rotate", {})
    assert (refused.status_code, refused.json()["type"]) == (409, "conflict")


def test_a_rotation_overlaps_as_long_as_it_is_told(admin: Admin) -> None:
    old = admin("POST", "/keys", NEW).json()

    new = admin("POST", f"/keys/{old['id']}/rotate", {"overlap_hours": 1})
    assert new.status_code == 201
    assert new.headers["cache-control"] == "no-store"
    assert new.json()["rotates"] == old["id"]
    assert admin.lets_in(old["key"])
    assert admin.lets_in(new.json()["key"])

    last = admin("POST", f"/keys/{new.json()['id']}/rotate", {"overlap_hours": 0}).json()
    assert not admin.lets_in(new.json()["key"])
    assert admin.lets_in(last["key"])


def test_an_example_key_lets_nobody_in(admin: Admin) -> None:
    assert add_example_key(admin.keys.engine, "example1")
    assert not add_example_key(admin.keys.engine, "example1")

    rotated = admin("POST", "/keys/example1/rotate", {"overlap_hours": 24})

    assert rotated.status_code == 201
    assert not admin.lets_in(rotated.json()["key"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/keys", {**NEW, "scopes": []}, 422, "scopes: must not be empty"),
        ("POST", "/keys", {**NEW, "scopes": ["dance"]}, 422, 'scopes.0: must be "predict"'),
        ("POST", "/keys", {**NEW, "owner": "A~b"}, 422, "owner: use lower-case letters, digits"),
        ("POST", "/keys", {**NEW, "owner": "a" * 33}, 422, "owner: use lower-case letters"),
        ("POST", "/keys", {**NEW, "name": "a\nb"}, 422, "name: use 1 to 100 characters"),
        ("POST", "/keys", {**NEW, "days": 0}, 422, "days: must be greater than 0"),
        ("POST", "/keys", {**NEW, "max_requests": 0}, 422, "max_requests: must be at least 0.0001"),
        ("POST", "/keys", {**NEW, "max_rows": 1e7}, 422, "max_rows: must be at most 1000000"),
        ("POST", "/keys", {**NEW, "max_queued": 0}, 422, "max_queued: must be at least 1"),
        ("POST", "/keys", {**NEW, "max_queued": 1.5}, 422, "max_queued: must be a whole number"),
        ("POST", "/keys", {**NEW, "scope": "train"}, 422, 'did you mean "scopes"?'),
        ("POST", "/keys", [], 422, "send an object like"),
        ("POST", "/keys/nokey/rotate", {"overlap_hours": -1}, 422, "must be at least 0"),
        ("POST", "/keys/nokey/rotate", {}, 404, 'key_id: there is no key "nokey"'),
        ("DELETE", "/keys/nokey", None, 404, 'key_id: there is no key "nokey"'),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    admin: Admin, method: str, path: str, body: Any, status: int, says: str
) -> None:
    answer = admin(method, path, body)

    assert answer.status_code == status
    assert says in answer.json()["detail"]
