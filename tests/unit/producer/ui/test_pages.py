"""The pages over a database: what a browser gets, and how it is told what is wrong."""

import json
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from app.auth.api_key import NewKey
from app.auth.identity import Scope
from app.auth.store import create_key
from app.jobs.listing import JobFilter
from app.jobs.workers import Worker, report
from app.models.endpoint import EndpointSpec
from app.producer.ui.assets import address
from app.protocol.types import JobKind
from tests.support.application import application
from tests.support.browser import OWN, Client, said

POLICY = {
    *("default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'"),
    *("frame-ancestors 'none'", "base-uri 'none'"),
}


@pytest.fixture
def app(sqlite_url) -> Iterator[FastAPI]:
    with application(sqlite_url) as made:
        yield made


@pytest.fixture
def browser(app: FastAPI) -> Client:
    return Client(app)


def test_a_page_loads_nothing_but_its_own_files(browser: Client) -> None:
    answer = browser("GET", "/ui/jobs")

    assert answer.status_code == 200
    policy = set(answer.headers["content-security-policy"].split("; "))
    assert policy >= POLICY
    assert not any("unsafe" in each for each in policy)
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert re.findall(r"<script[^>]*>", answer.text) == [
        f'<script src="{address("live.js")}" defer>'
    ]


def test_a_page_that_did_not_change_is_a_304_with_its_policy(browser: Client) -> None:
    first = browser("GET", "/ui/jobs/ended")
    second = browser("GET", "/ui/jobs/ended", {"If-None-Match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_files_have_their_content_in_their_name_and_are_kept_for_ever(browser: Client) -> None:
    answer = browser("GET", address("style.css"))

    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert browser("GET", "/ui/static/style-0123456789ab.css").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/ui/jobs/nothing", 404, "job_id: there is no job nothing"),
        ("/ui/jobs?state=done", 422, "state: must be "),
        ("/ui/jobs?nonsense=1", 422, "nonsense: this query parameter is not known"),
        ("/ui/jobs?cursor=x", 422, "cursor: use the cursor of the page before"),
        ("/ui/jobs?metric=r2", 422, "metric: "),
        ("/ui/nowhere", 404, "there is no path"),
        ("/ui/compare?model_ids=a", 422, "model_ids: choose 2 to 8 models"),
        ("/ui/models/nothing", 404, "model_id: there is no model nothing"),
        ("/ui/jobs/%3Cb%3E", 422, "job_id: use a string of letters"),
        ("/ui/%3Cscript%3E", 404, "&lt;script&gt;"),
        ("/ui/datasets", 503, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_a_page(browser: Client, path: str, status: int, text: str) -> None:
    answer = browser("GET", path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert text in said(answer)
    assert "Traceback" not in answer.text
    assert "<b>" not in said(answer)


def test_what_is_away_for_a_moment_comes_by_itself(browser: Client) -> None:
    answer = browser("GET", "/ui/datasets")

    assert answer.headers["refresh"] == answer.headers["retry-after"] == "5"
    assert "refresh" not in browser("GET", "/ui/nowhere").headers
    assert "refresh" not in browser("POST", "/ui/jobs/x/cancel", OWN).headers


def test_programs_get_problem_documents_below_ui_too(browser: Client) -> None:
    answer = browser("GET", "/ui/jobs/nothing", {"Accept": "*/*"})

    assert answer.headers["content-type"] == "application/problem+json"


def test_another_method_and_a_foreign_form_are_told_so_by_a_page(browser: Client) -> None:
    assert "use GET" in said(browser("PUT", "/ui/jobs"))
    foreign = browser("POST", "/ui/jobs/waiting/cancel", {"Origin": "https://evil.example"})
    assert (foreign.status_code, "evil.example" in said(foreign)) == (403, True)


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/ui/jobs?state=&kind=train&tag=", "/ui/jobs?kind=train"),
        ("/ui/jobs?state=", "/ui/jobs"),
        ("/ui/compare?model_ids=a&model_ids=b", "/ui/compare?model_ids=a%2Cb"),
        ("/ui/jobs/red~m?state=", "/ui/jobs/red~m"),
        ("/ui/jobs/%E2%82%AC%0D%0ASet-Cookie:a?state=", "/ui/jobs/%E2%82%AC%0D%0ASet-Cookie%3Aa"),
    ],
)
def test_the_address_says_what_a_form_asks_for_and_no_more(
    browser: Client, path: str, clean: str
) -> None:
    answer = browser("GET", path)

    assert (answer.status_code, answer.headers["location"]) == (303, clean)


def test_the_filter_is_in_every_link(app: FastAPI, browser: Client) -> None:
    for n in range(51):
        app.state.services.jobs.create(f"job-{n}", JobKind.TRAIN, "houses", {})

    first = browser("GET", "/ui/jobs?dataset_id=houses&sort=created_at")
    (following,) = re.findall(r'href="([^"]*)" rel="next"', first.text)
    second = browser("GET", following.replace("&amp;", "&"))

    assert first.text.count('<tr><th scope="row">') == 50
    assert "dataset_id=houses" in following
    assert second.text.count('<tr><th scope="row">') == 1
    assert "job-50" in second.text
    assert "data-live" not in second.text  # only the first page refreshes itself


def test_a_job_is_cancelled_after_a_page_that_asks(app: FastAPI, browser: Client) -> None:
    asked = browser("GET", "/ui/jobs/waiting/cancel")
    assert 'action="/ui/jobs/waiting/cancel"' in asked.text
    assert app.state.services.jobs.get("waiting").state == "TASK_QUEUED"

    answer = browser("POST", "/ui/jobs/waiting/cancel", OWN)

    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/jobs/waiting")
    assert app.state.services.jobs.get("waiting").state == "TASK_CANCELLED"
    assert browser("POST", "/ui/jobs/waiting/cancel", OWN).status_code == 303  # again is no error


def test_all_of_a_filter_are_cancelled_and_no_others(app: FastAPI, browser: Client) -> None:
    jobs = app.state.services.jobs
    for n in range(3):
        jobs.create(f"house-{n}", JobKind.TRAIN, "houses", {})

    assert "3 jobs" in browser("GET", "/ui/cancel-jobs?dataset_id=houses").text
    answer = browser("POST", "/ui/cancel-jobs?dataset_id=houses", OWN)

    assert answer.headers["location"] == "/ui/jobs?dataset_id=houses&done=3"
    assert {jobs.get(f"house-{n}").state for n in range(3)} == {"TASK_CANCELLED"}
    assert jobs.get("waiting").state == "TASK_QUEUED"


def test_jobs_that_came_after_the_page_that_asked_are_not_cancelled(
    app: FastAPI, browser: Client
) -> None:
    jobs = app.state.services.jobs
    for n in range(12):
        jobs.create(f"seen-{n}", JobKind.TRAIN, "houses", {})
    asked = browser("GET", "/ui/cancel-jobs?text=HOUSE").text
    assert re.findall(r"Cancel (\d+) jobs\?", asked) == ["12"]
    assert "and 2 more" in asked
    (ids,) = re.findall(r'<input type="hidden" name="ids" value="([^"]*)">', asked)
    jobs.create("unseen", JobKind.TRAIN, "houses", {})
    jobs.cancel("seen-0")

    answer = browser("POST", "/ui/cancel-jobs?text=HOUSE", OWN, data={"ids": ids})

    assert answer.headers["location"] == "/ui/jobs?text=HOUSE&done=11&left=1"
    page = browser("GET", answer.headers["location"]).text
    assert "11 jobs done. 1 of those that were asked about had changed meanwhile" in page
    assert {jobs.get(f"seen-{n}").state for n in range(12)} == {"TASK_CANCELLED"}
    assert jobs.get("unseen").state == "TASK_QUEUED"
    assert jobs.get("waiting").state == "TASK_QUEUED"


@pytest.mark.parametrize("ids", ["waiting", "red~other", "nothing"])
def test_only_jobs_of_the_filter_are_cancelled(app: FastAPI, browser: Client, ids: str) -> None:
    answer = browser("POST", "/ui/cancel-jobs?text=other-text", OWN, data={"ids": ids})

    assert answer.headers["location"] == "/ui/jobs?text=other-text&done=0&left=1"
    assert app.state.services.jobs.get("waiting").state == "TASK_QUEUED"


@pytest.mark.parametrize(
    ("ids", "field"), [("waiting,", "ids.1"), ("<b>\0", "ids.0"), ("a," * 500 + "a", "ids")]
)
def test_ids_that_no_page_has_asked_about_are_refused(
    app: FastAPI, browser: Client, ids: str, field: str
) -> None:
    answer = browser("POST", "/ui/cancel-jobs", OWN, data={"ids": ids})

    assert (answer.status_code, said(answer).startswith(f"{field}: ")) == (422, True)
    assert app.state.services.jobs.get("waiting").state == "TASK_QUEUED"


def test_a_job_that_was_cancelled_does_not_seem_to_have_failed(
    app: FastAPI, browser: Client
) -> None:
    jobs = app.state.services.jobs
    jobs.create("lost", JobKind.TRAIN, "houses", {})
    jobs.lose("lost", jobs.claim("lost", "w"), {"type": "consumer_lost", "detail": "it was lost"})
    assert "it was lost" in browser("GET", "/ui/jobs").text
    jobs.cancel("lost")

    assert "it was lost" not in browser("GET", "/ui/jobs").text
    assert 'class="problem"' not in browser("GET", "/ui/jobs/lost").text


def test_the_overview_counts_jobs_and_says_which_service_is_away(
    app: FastAPI, browser: Client
) -> None:
    page = browser("GET", "/ui").text

    counts = re.findall(r'<li><b>(.*?)</b><a href="[^"]*">(\w+)</a>', page)
    assert counts == [
        ("1", "queued"), ("0", "running"), ("0", "completed"), ("0", "error"), ("1", "cancelled"),
    ]  # fmt: skip
    assert re.search(r"not ok</span> broker: ", page)
    assert '<a href="/health/all">' in page
    assert re.findall(r'scope="row">([^<]*)</th><td class="n">(99[^<]*)</td>', page) == [
        ("Requests without a 5xx", "99.9 %"),
        ("Answers within 100 ms", "99 %"),
    ]
    assert app.state.services.jobs.count(JobFilter(), 1) == 1  # counting stops at the bound


def test_the_overview_adds_up_what_consumers_hold(app: FastAPI, browser: Client) -> None:
    engine = app.state.services.jobs.engine
    held = {TRAIN_QUEUE: 1, PREDICT_QUEUE: 40}
    for name in ("a:1:b", "a:2:c"):
        report(engine, Worker(name, "a", 1, "1", "3", 2, jobs=1, memory=5, unacknowledged=held))
    report(engine, Worker("old", "a", 1, "1", "3", 2, jobs=1, memory=5, unacknowledged=None))

    page = browser("GET", "/ui").text

    cells = r"<td class=\"n\">unknown</td><td class=\"n\">(\d+)</td>"  # there is no broker
    found = dict(re.findall(rf"<th scope=\"row\">(queue[^<]*)</th>{cells}", page))
    assert (found[TRAIN_QUEUE], found[PREDICT_QUEUE], found[INVOKE_QUEUE]) == ("2", "80", "0")
    assert re.search(r"which they told \d+\.\d s ago; 1 of an older version does not tell<", page)
    workers = browser("GET", "/ui/workers").text
    assert workers.count('<td class="n">41</td>') == 2


def test_only_trainings_run_again(app: FastAPI, browser: Client) -> None:
    app.state.services.jobs.create("asked", JobKind.PREDICT, None, {"model_id": "m"})

    assert "is no training" in said(browser("GET", "/ui/jobs/asked/again"))
    asked = browser("GET", "/ui/run-jobs-again?kind=predict").text
    assert "0 trainings" in asked
    assert "There is none now" in asked
    assert "<form" not in asked.split("<main")[1]


def test_rows_of_a_form_count_for_their_caller(sqlite_url) -> None:
    rows = {"json": json.dumps({"input_data": [{"size": 1.0}] * 1000})}
    with application(sqlite_url, caller_max_rows=1) as app:
        browser = Client(app)
        answers = [browser("POST", "/ui/models/remote", OWN, data=rows) for _ in range(2)]

    assert [each.status_code for each in answers] == [503, 429]  # there is no broker
    assert "may have 1 rows a second" in said(answers[1])


def test_a_key_sees_only_the_pages_that_it_may_open(sqlite_url) -> None:
    with application(sqlite_url, auth="on") as app:
        _, text = create_key(app.state.keys.engine, NewKey(name="n", scopes=[Scope.JOBS]))
        app.state.keys.refresh()
        browser = Client(app)

        answer = browser("GET", "/ui/jobs", {"Authorization": f"Bearer {text}"})
        refused = browser("GET", "/ui/models", {"Authorization": f"Bearer {text}"})

    assert re.findall(r'<li><a href="([^"]*)"', answer.text) == ["/ui", "/ui/jobs"]
    assert (refused.status_code, "needs the scope" in said(refused)) == (403, True)


def test_a_page_without_a_login_leads_there_and_back(sqlite_url) -> None:
    with application(sqlite_url, auth="on") as app:
        _, text = create_key(app.state.keys.engine, NewKey(name="n", scopes=[Scope.JOBS]))
        app.state.keys.refresh()
        browser = Client(app)

        asked = browser("GET", "/ui/jobs?state=TASK_ERROR")
        assert asked.status_code == 303
        form = browser("GET", asked.headers["location"])
        (then,) = re.findall(r'name="then" value="([^"]*)"', form.text)
        entered = browser("POST", "/login", OWN, data={"key": text, "then": then})
        assert entered.headers["location"] == "/ui/jobs?state=TASK_ERROR"
        page = browser("GET", entered.headers["location"])

    assert page.status_code == 200
    assert "Log out (default)" in page.text


@pytest.mark.parametrize(
    "then", ["https://evil.example", "//evil.example", "/ui//evil\r\nX: y", "/uievil", "/ui\\evil"]
)
def test_a_login_leads_to_no_other_site(sqlite_url, then: str) -> None:
    with application(sqlite_url, auth="on") as app:
        _, text = create_key(app.state.keys.engine, NewKey(name="n", scopes=[Scope.JOBS]))
        app.state.keys.refresh()

        entered = Client(app)("POST", "/login", OWN, data={"key": text, "then": then})

    assert entered.headers["location"] == "/login"


def test_a_prefix_of_a_proxy_is_in_every_address(app: FastAPI) -> None:
    from app.producer.app import create_app

    settings = app.state.services.settings.model_copy(update={"root_path": "/warren"})
    prefixed = create_app(settings)
    prefixed.state.services = app.state.services

    page = Client(prefixed)("GET", "/warren/ui/jobs/ended").text

    found = re.findall(r'(?:href|src|action)="([^"#]*)"', page)
    assert found
    assert all(each.startswith(("/warren/", "data:")) for each in found)


def test_a_form_for_training_comes_back_with_what_is_wrong(browser: Client) -> None:
    for field, value, text in (
        ("params", "[1]", "params: must be a JSON object"),
        ("params", "{'a': 1}", "params: "),
        ("cv", "many", "cv: must be a number"),
        ("estimator", "ridge_regression", "estimator: "),
        ("more", '{"nonsense": 1}', "nonsense: "),
    ):
        sent = {"dataset_id": "houses", "target": "price", field: value, "key": "k"}
        answer = browser("POST", "/ui/train", OWN, data=sent)
        if answer.status_code == 503:  # the columns are asked for, and S3 is away
            assert "cannot be reached" in said(answer)
            continue
        assert answer.status_code == 422
        assert said(answer).startswith(text)


def test_a_model_is_deleted_after_a_page_that_asks(browser: Client) -> None:
    assert "/ui/models/remote/delete" in browser("GET", "/ui/models/remote").text
    asked = browser("GET", "/ui/models/remote/delete").text
    assert "Delete model <code>remote</code>?" in asked
    assert "version 1 of" in browser("GET", "/ui/models/versioned/delete").text

    for _ in range(2):  # a second click is no error
        answer = browser("POST", "/ui/models/remote/delete", OWN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/models")

    assert browser("GET", "/ui/models/remote").status_code == 410
    used = browser("POST", "/ui/models/versioned/delete", OWN)
    assert (used.status_code, "named@champion points to" in said(used)) == (409, True)
    assert browser("GET", "/ui/models/versioned").status_code == 200


def test_the_page_and_the_reports_of_a_model_that_has_no_name(
    app: FastAPI, browser: Client
) -> None:
    nowhere = EndpointSpec.model_validate({"kind": "endpoint", "url": "http://127.0.0.1:1/"})
    app.state.services.models.register("lonely", nowhere)

    for below in ("", "/report.html", "/report.md"):
        answer = browser("GET", f"/ui/models/lonely{below}")
        assert answer.status_code == 200, below
        assert "lonely" in answer.text
        assert "Aliases" not in answer.text
