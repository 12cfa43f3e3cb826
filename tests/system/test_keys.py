"""Keys with real processes: the first one, revocation on all producers, outages, a browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from devstack.demo import ROW, TRAIN
from devstack.run_module import run_module
from tests.conftest import migrate
from tests.support.identity_provider import AUDIENCE, identity_provider
from tests.support.postgres import Postgres
from tests.system.support.client import is_problem, reached, train, upload
from tests.system.support.gated import ALONE, HELD
from tests.system.support.processes import PRODUCER, SECONDS, Stack, until

ASK = {"model_id": "latest", "input_data": ROW}


def make_key(stack: Stack, *scopes: str, **limits: str) -> dict[str, Any]:
    """Make a key as an operator does; the `limits` are options such as `max_queued`."""
    options = [part for scope in scopes for part in ("--scope", scope)]
    for name, most in limits.items():
        options += [f"--{name.replace('_', '-')}", most]
    command = ("app.cli", "keys", "create", "--name", "test", *options, "--json")
    made: dict[str, Any] = json.loads(run_module(stack.environment, *command))
    return made


def with_key(http: httpx2.Client, key: str) -> httpx2.Client:
    http.headers["Authorization"] = f"Bearer {key}"
    return http


def test_a_producer_of_a_network_does_not_start_before_there_is_a_key(stack: Stack) -> None:
    refused = stack.start(PRODUCER, HOST="0.0.0.0")

    assert refused.wait() == 1
    said = refused.output()
    assert "python -m app.cli keys create --name first --scope all" in said
    assert "AUTH=off" in said
    assert "Traceback" not in said

    key = make_key(stack, "all")["key"]
    _, http = stack.producer(HOST="0.0.0.0")
    assert is_problem(http.get("/jobs"), 401)["type"] == "unauthenticated"
    assert http.get("/health").status_code == http.get("/ping").status_code == 200
    assert with_key(http, key).get("/jobs").json() == {"jobs": [], "next": None}


def test_tokens_of_an_identity_provider_count_without_a_key(stack: Stack) -> None:
    with identity_provider() as provider:
        claims = {"OIDC_OWNER_CLAIM": "team", "OIDC_AUDIENCE": AUDIENCE}
        _, http = stack.producer(AUTH="on", OIDC_ISSUER=provider.url, **claims)

        with_key(http, provider.token("one", team="research"))
        assert http.get("/jobs").json() == {"jobs": [], "next": None}
        assert is_problem(http.get("/datasets/none/file"), 403)["type"] == "forbidden"

        with_key(http, provider.token("one", team="research", aud="another"))
        assert "another audience" in is_problem(http.get("/jobs"), 401)["detail"]


def test_with_auth_off_a_producer_of_a_network_serves_everybody(stack: Stack) -> None:
    _, http = stack.producer(HOST="0.0.0.0", AUTH="off")

    assert http.get("/jobs").status_code == 200


def test_a_key_trains_predicts_and_follows_until_it_is_revoked_on_every_producer(
    stack: Stack,
) -> None:
    admin, key = make_key(stack, "admin")["key"], make_key(stack, "train", "predict", "data")
    stack.consumer(ALONE)
    producers = [with_key(stack.producer(AUTH="on")[1], key["key"]) for _ in range(2)]
    first, second = producers
    upload(first)
    reached(first, train(first), "TASK_COMPLETED")
    assert second.post("/predict", json=ASK).status_code == 200
    upload(first, HELD)
    held = train(first, dataset_id=HELD)

    with second.stream("GET", f"/jobs/{held}/events") as events:
        lines = events.iter_lines()
        assert events.status_code == 200
        assert "event: job" in lines
        sent = {"Authorization": f"Bearer {admin}"}
        assert first.delete(f"/keys/{key['id']}", headers=sent).status_code == 200
        until(lambda: second.get("/jobs").status_code == 401, "the other producer knows")
        assert list(lines)[-1] == ""  # it ends, although the job has not
    for each in producers:
        assert is_problem(each.post("/predict", json=ASK), 401)["type"] == "unauthenticated"
        assert is_problem(each.post("/train", json=TRAIN), 401)["type"] == "unauthenticated"


def test_a_key_at_its_limit_is_refused_while_another_key_of_its_owner_goes_on(
    stack: Stack,
) -> None:
    other = make_key(stack, "all")
    once = make_key(stack, "all", max_requests="0.001")
    nightly = make_key(stack, "all", max_queued="1")
    _, http = stack.producer(AUTH="on")
    upload(with_key(http, other["key"]))

    with_key(http, once["key"])
    allowed, refused = http.get("/jobs"), http.get("/jobs")
    assert allowed.headers["RateLimit"] == '"requests";r=0;t=1000'
    problem = is_problem(refused, 429)
    assert problem["type"] == "rate_limited"
    assert problem["detail"].startswith(f"key {once['id']} may have 0.001 requests a second")

    with_key(http, nightly["key"])
    assert http.post("/train", json=TRAIN).status_code == 202
    problem = is_problem(http.post("/train", json=TRAIN), 429)
    assert (problem["type"], problem["limit"]) == ("quota_exceeded", 1)
    assert f"for key {nightly['id']} at the most" in problem["detail"]

    with_key(http, other["key"])
    for _ in range(2):
        assert http.post("/train", json=TRAIN).status_code == 202


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL server that a test may stop."""
    with Postgres(tmp_path) as server:
        yield server


def test_without_the_database_known_keys_stay_valid_and_others_are_refused(
    stack: Stack, own_postgres: Postgres
) -> None:
    stack.environment["DATABASE_URL"] = migrate(own_postgres.new_database())
    made = make_key(stack, "predict", "jobs")
    producer, http = stack.producer(AUTH="on")
    with_key(http, made["key"])
    assert http.get("/execution-parameters").status_code == 200

    own_postgres.stop()
    producer.says("keys cannot be read, those that are known stay valid")
    assert http.get("/execution-parameters").status_code == 200
    assert is_problem(http.get("/jobs"), 503)["type"] == "database_unavailable"
    assert is_problem(http.get("/health/all"), 403)["type"] == "forbidden"
    wrong = {"Authorization": f"Bearer {made['key'][:-1]}"}
    assert is_problem(http.get("/jobs", headers=wrong), 401)["type"] == "unauthenticated"
    late, unsure = stack.producer(AUTH="on")
    assert is_problem(with_key(unsure, made["key"]).get("/jobs"), 503)["type"] == (
        "database_unavailable"
    )
    assert unsure.get("/health").status_code == 200

    own_postgres.start()
    producer.says("the keys can be read again")
    late.says("the keys can be read again")
    until(lambda: unsure.get("/jobs").status_code == 200, "it serves")
    assert http.get("/jobs").status_code == 200


def test_a_browser_logs_in_runs_an_operation_and_logs_out(stack: Stack, browser: Browser) -> None:
    key = make_key(stack, "admin")["key"]
    _, http = stack.producer(AUTH="on")
    context = browser.new_context(base_url=str(http.base_url))
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)

    def status_of(path: str) -> int | None:
        answer = page.goto(path)
        return answer and answer.status

    assert status_of("/keys") == 401
    page.goto("/login")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This key is not valid.")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("You are logged in")).to_be_visible()

    page.get_by_role("link", name="The API's pages").click()
    expect(page.locator(".opblock").first).to_be_visible()
    assert page.evaluate("document.cookie") == ""  # no script can read it
    change = "async () => (await fetch('/keys/nokey', {method: 'DELETE'})).status"
    assert page.evaluate(change) == 404
    assert status_of("/keys") == 200

    page.goto("/login")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert status_of("/keys") == 401
    context.close()


def test_swagger_ui_sends_the_key_that_it_was_given(stack: Stack, browser: Browser) -> None:
    key = make_key(stack, "admin")["key"]
    _, http = stack.producer(AUTH="on")
    context = browser.new_context(base_url=str(http.base_url))
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.goto("/docs")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").first.fill(key)
    page.locator(".auth-container").first.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()

    block = page.locator(".opblock", has=page.locator('[data-path="/keys"]')).filter(
        has=page.locator(".opblock-summary-method", has_text="GET")
    )
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response").first
    expect(answer).to_be_visible()
    assert answer.inner_text().startswith("200")
    context.close()
