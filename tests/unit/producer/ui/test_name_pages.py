"""The pages of names over a database: what they show, and what their forms change."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from app.auth.actor import Actor
from app.auth.api_key import NewKey
from app.auth.identity import Scope
from app.auth.store import create_key
from app.models.aliases import Wanted, delete_alias, set_alias
from app.models.feature_counts import ComparedRow, Outcome, count_rows
from app.models.promotion import read_training
from app.models.shadow_counts import Counts, Pair, add_counts
from app.models.shadow_features import add_features
from app.producer import promotion
from tests.support.application import application
from tests.support.browser import OWN, Client, said
from tests.support.rows import ENDPOINT

BY = Actor("key 7")
COMPARED = {"champion": 1.5, "challenger": 2.5, "test_rows": 12, "worse": True}


@pytest.fixture
def app(sqlite_url) -> Iterator[FastAPI]:
    """The name `churn` has three versions; `champion` is the second one, for a reason."""
    with application(sqlite_url) as made:
        fill(made)
        yield made


@pytest.fixture
def browser(app: FastAPI) -> Client:
    return Client(app)


def fill(app: FastAPI, owner: str = "") -> None:
    services = app.state.services
    for number in (1, 2, 3):
        services.models.register(f"{owner}m{number}", ENDPOINT, name=f"{owner}churn")
    for number in (1, 2):
        point(app, number, f"{owner}churn")


def point(app: FastAPI, version: int, name: str = "churn", why: str = "it is <better>") -> None:
    engine = app.state.services.jobs.engine
    set_alias(engine, name, "champion", Wanted(version, why), BY, lambda _: None)


def champion(browser: Client) -> int:
    return int(browser("GET", "/models/churn/aliases/champion").json()["version"])


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of the form of a page."""
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page))


def test_the_list_has_versions_aliases_split_and_shadow(browser: Client) -> None:
    browser("PUT", "/models/churn/split", json={"weights": {"1": 3, "2": 1}})
    shadow = {"alias": "champion", "version": 3, "share": 0.25}
    browser("PUT", "/models/churn/shadow", json=shadow)

    page = browser("GET", "/ui/names?sort=name").text

    (row,) = re.findall(r'<tr><th scope="row"><a href="/ui/names/churn">.*?</tr>', page, re.S)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells[:4] == ["3", "champion: 2", "1: 75 %, 2: 25 %", "3 of champion, 25 %"]
    assert browser("GET", "/ui/name?name=churn").headers["location"] == "/ui/names/churn"
    assert "no name with this tag" in browser("GET", "/ui/names?tag=none").text


def test_a_page_tells_who_changed_an_alias_and_why(app: FastAPI, browser: Client) -> None:
    engine = app.state.services.jobs.engine
    set_alias(engine, "churn", "old", Wanted(1, "for a day"), BY, lambda _: None)
    delete_alias(engine, "churn", "old", "the day is over", BY, lambda _: None)

    page = browser("GET", "/ui/names/churn").text

    now, history = page.split('<h2 id="history">')
    assert "key 7" in now
    assert "it is &lt;better&gt;" in now
    assert "<better>" not in page
    rows = re.findall(r'<th scope="row">(\w+)</th><td>(\w+)</td>', history)
    assert rows == [("old", "delete"), ("old", "set"), ("champion", "set"), ("champion", "set")]
    assert "the day is over" in history
    assert 'href="/ui/names/churn"' in browser("GET", "/ui/models/m2").text


def test_the_page_of_a_model_tells_when_aliases_meant_it(app: FastAPI, browser: Client) -> None:
    point(app, 3, why="<i>newer</i>")
    browser("POST", "/models/churn/aliases/champion/rollback")

    def history(model_id: str) -> list[tuple[str, str]]:
        page = browser("GET", f"/ui/models/{model_id}").text
        assert "<i>" not in page
        return re.findall(r'<th scope="row">(\w+)</th><td>([^<]*)</td><td>', page)

    assert history("m3") == [
        ("champion", "means version 2, rolled back"),
        ("champion", "means it"),
    ]
    assert history("m1") == [("champion", "means version 2"), ("champion", "means it")]
    assert len(history("m2")) == 3
    assert "History</h2>" not in browser("GET", "/ui/models/remote").text


def test_the_history_goes_on_over_pages_to_its_first_change(app: FastAPI, browser: Client) -> None:
    for number in range(60):
        point(app, 1 + number % 2, why=f"change-{number:02}.")

    first = browser("GET", "/ui/names/churn").text
    (older,) = re.findall(r'href="([^"#]*)#history" rel="next"', first)
    second = browser("GET", older.replace("&amp;", "&")).text

    found = [
        re.findall(r"change-\d\d\.", each.split('id="history"')[1]) for each in (first, second)
    ]
    assert [*found[0], *found[1]] == [f"change-{number:02}." for number in reversed(range(60))]
    assert len(found[0]) == 50
    assert "Older changes" not in second
    assert "Newest changes" in second


def test_a_version_is_promoted_after_a_page_that_asks(browser: Client) -> None:
    asked = browser("GET", "/ui/names/churn/promote?alias=champion&version=3&why=new")
    assert "since " in asked.text
    fields = hidden(asked.text)
    assert fields == {"alias": "champion", "version": "3", "seen": "2"}
    assert 'name="why" value="new"' in asked.text
    assert champion(browser) == 2

    answer = browser("POST", "/ui/names/churn/promote", OWN, data={**fields, "why": "new"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/names/churn")
    assert champion(browser) == 3
    twice = browser("POST", "/ui/names/churn/promote", OWN, data={**fields, "why": "new"})
    assert (twice.status_code, twice.headers["location"]) == (303, "/ui/names/churn")
    assert browser("GET", "/models/churn/aliases/champion").json()["change"] == 3
    again = browser("POST", "/ui/names/churn/promote", OWN, data={**fields, "version": "1"})
    assert again.status_code == 409
    told = "champion was changed since this page was loaded: anyone set it to version 3 (new)"
    assert said(again) == told
    assert champion(browser) == 3
    assert "It means version 3 since" in again.text
    fresh = browser("POST", "/ui/names/churn/promote", OWN, data=hidden(again.text))
    assert (fresh.status_code, champion(browser)) == (303, 1)


def test_a_refused_promotion_shows_its_numbers_and_can_be_forced(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compared(_, name, champion, challenger, metric):
        versions = {"champion": champion, "challenger": challenger}
        return {**COMPARED, "metric": metric, "versions": versions}

    monkeypatch.setattr(promotion, "_comparison", compared)
    asked = browser("GET", "/ui/names/churn/promote?alias=champion&version=3&metric=rmse")
    for answer in (asked, browser("POST", "/ui/names/churn/promote", OWN, data=hidden(asked.text))):
        assert "version 3 is worse than version 2" in said(answer).lower()
        assert re.findall(r'<td class="n">([\d.]+)</td>', answer.text) == ["1.5", "2.5"]
        assert 'type="checkbox" name="force"' in answer.text
    assert (asked.status_code, answer.status_code) == (200, 409)
    assert champion(browser) == 2

    forced = {**hidden(answer.text), "force": "true"}
    assert browser("POST", "/ui/names/churn/promote", OWN, data=forced).status_code == 303

    assert champion(browser) == 3
    assert "set, forced" in browser("GET", "/ui/names/churn").text


def test_versions_that_cannot_be_compared_say_why(app: FastAPI, browser: Client) -> None:
    assert read_training(app.state.services.jobs.engine, "m3") is None
    asked = browser("GET", "/ui/names/churn/promote?alias=champion&version=3&metric=rmse")

    assert "cannot be compared" in said(asked)
    assert "was registered, so no rows are known" in asked.text


def test_an_alias_is_rolled_back_once_for_each_page_that_asked(browser: Client) -> None:
    asked = browser("GET", "/ui/names/churn/rollback?alias=champion")
    fields = {**hidden(asked.text), "why": "nonsense"}
    assert "It means version 2 since" in asked.text
    assert "It gets version 1, which it meant before" in asked.text

    assert browser("POST", "/ui/names/churn/rollback", OWN, data=fields).status_code == 303
    assert champion(browser) == 1
    again = browser("POST", "/ui/names/churn/rollback", OWN, data=fields)
    assert again.status_code == 409
    assert said(again) == (
        "alias: champion was changed since this page was loaded: anyone rolled it back to version "
        "1 (nonsense); churn@champion has pointed to nothing before; point it to another version"
    )
    assert "nonsense" in browser("GET", "/ui/names/churn").text
    asked = browser("GET", "/ui/names/churn/rollback?alias=champion")
    assert (asked.status_code, "has pointed to nothing before" in said(asked)) == (409, True)


@pytest.mark.parametrize(
    ("asked", "status", "detail"),
    [
        ("split?weights=1%3D1+9%3D1", 404, "version: churn has no version 9"),
        ("split?weights=1%3D0", 422, "weights: one of them has to be more than 0"),
        ("shadow?alias=champion&version=9&share=1", 404, "version: churn has no version 9"),
        ("shadow?alias=none&version=1&share=1", 404, "alias: churn has no alias none"),
        ("promote?alias=champion&version=9", 404, "version: churn has no version 9"),
        ("rollback?alias=none", 404, "alias: churn has no alias none"),
    ],
)
def test_a_page_asks_for_nothing_that_cannot_be(
    browser: Client, asked: str, status: int, detail: str
) -> None:
    answer = browser("GET", f"/ui/names/churn/{asked}")

    assert (answer.status_code, detail in said(answer)) == (status, True)


@pytest.mark.parametrize(
    "asked",
    [
        *("promote?alias=champion&version=1", "rollback?alias=champion", "split?weights=1%3D1"),
        *("end-split", "shadow?alias=champion&version=1&share=1", "end-shadow"),
    ],
)
def test_a_name_that_is_not_there_is_what_a_page_says(browser: Client, asked: str) -> None:
    answer = browser("GET", f"/ui/names/churm/{asked}")

    assert answer.status_code == 404
    assert "name: there is no name churm; did you mean" in said(answer)


def test_a_field_that_is_sent_twice_is_refused(browser: Client) -> None:
    sent = {"alias": ["champion", "other"], "version": "3", "seen": "2"}
    answer = browser("POST", "/ui/names/churn/promote", OWN, data=sent)

    assert answer.status_code == 422
    assert "alias: this field is sent more than once" in said(answer)
    assert champion(browser) == 2


def test_a_split_is_set_and_ended(browser: Client) -> None:
    asked = browser("GET", "/ui/names/churn/split?weights=1%3D9%2C+3%3D1")
    assert "Version 1: 90 %" in asked.text
    assert "Until now the newest version gets all" in asked.text
    browser("POST", "/ui/names/churn/split", OWN, data=hidden(asked.text))
    assert browser("GET", "/names/churn").json()["split"] == {"1": 9.0, "3": 1.0}
    assert 'value="1=9, 3=1"' in browser("GET", "/ui/names/churn").text
    other = browser("GET", "/ui/names/churn/split?weights=2%3D1").text
    assert "Until now: version 1 90 %, version 3 10 %." in other
    exact = {"weights": {"1": 333333.25, "3": 1e-06}}
    browser("PUT", "/models/churn/split", json=exact)
    assert 'value="1=333333.25, 3=1e-06"' in browser("GET", "/ui/names/churn").text

    asked = browser("GET", "/ui/names/churn/end-split").text
    assert "End the split" in asked
    browser("POST", "/ui/names/churn/end-split", OWN, data=hidden(asked))
    assert browser("GET", "/names/churn").json()["split"] is None
    assert "danger" not in browser("GET", "/ui/names/churn/end-split").text


def test_a_shadow_is_set_shown_by_feature_and_ended(app: FastAPI, browser: Client) -> None:
    asked = browser("GET", "/ui/names/churn/shadow?alias=champion&version=3&share=0.5")
    assert "50 %" in asked.text
    browser("POST", "/ui/names/churn/shadow", OWN, data=hidden(asked.text))
    assert "Nothing has been compared yet" in browser("GET", "/ui/names/churn").text
    compare(app, "churn")

    page = browser("GET", "/ui/names/churn").text

    assert "2 and 3" in page
    parts = re.findall(
        r'<th scope="row">([^<]*)</th><td class="n">(\d+)</td>'
        r'<td class="n">([^<]*)</td><td class="n">([^<]*)</td></tr>',
        page,
    )
    assert parts == [
        *(("less than 1.5", "2", "0 %", "0"), ("1.5 to less than 3.5", "2", "0 %", "0")),
        *(("3.5 to less than 5.5", "2", "100 %", "4"), ("5.5 or more", "2", "100 %", "4")),
        *(("&lt;b&gt;", "8", "50 %", "2"),),
    ]  # fmt: skip
    assert "2 gets no calls" not in page
    asked = browser("GET", "/ui/names/churn/end-shadow").text
    assert "is deleted" in asked
    browser("POST", "/ui/names/churn/end-shadow", OWN, data=hidden(asked))
    assert browser("GET", "/models/churn/shadow").status_code == 404


SPLIT = {"weights": {"1": 9, "3": 1}}
SHADOW = {"alias": "champion", "version": 3, "share": 0.25}


@pytest.mark.parametrize(
    ("asked", "others", "was", "now"),
    [
        ("split?weights=2%3D1", SPLIT, "none", "1=9, 3=1"),
        ("split?weights=2%3D1", None, "1=9, 3=1", "none"),
        ("end-split", {"weights": {"2": 1}}, "1=9, 3=1", "2=1"),
        (
            "shadow?alias=champion&version=1&share=1",
            SHADOW,
            "none",
            "version 3 for 0.25 of champion",
        ),
        ("shadow?alias=champion&version=1&share=1", None, "version 3 for 0.25 of champion", "none"),
        (
            "end-shadow",
            {**SHADOW, "share": 1},
            "version 3 for 0.25 of champion",
            "version 3 for 1 of champion",
        ),
    ],
)
def test_a_form_changes_only_what_its_page_has_shown(
    browser: Client, asked: str, others: dict[str, object] | None, was: str, now: str
) -> None:
    path, what = asked.partition("?")[0], "split" if "split" in asked else "shadow"
    address = f"/models/churn/{what}"
    if was != "none":
        browser("PUT", address, json=SPLIT if what == "split" else SHADOW)
    first = browser("GET", f"/ui/names/churn/{asked}")
    assert first.status_code == 200
    browser("PUT", address, json=others) if others else browser("DELETE", address)

    stale = browser("POST", f"/ui/names/churn/{path}", OWN, data=hidden(first.text))

    assert stale.status_code == 409
    assert said(stale) == (
        f"somebody has changed the {what} since this page was loaded: it was {was}, it is {now} now"
    )
    fields = hidden(stale.text)
    assert (hidden(first.text)["seen"], fields["seen"]) == (was, now)
    assert fields | {"seen": was} == hidden(first.text)  # it asks for the same again
    for _ in range(2):  # a second click is no error
        answer = browser("POST", f"/ui/names/churn/{path}", OWN, data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/names/churn")


def test_a_stale_page_of_a_rollback_asks_for_the_one_that_is_next(
    app: FastAPI, browser: Client
) -> None:
    asked = browser("GET", "/ui/names/churn/rollback?alias=champion").text
    point(app, 3, why="<b>better</b>")

    stale = browser("POST", "/ui/names/churn/rollback", OWN, data={**hidden(asked), "why": "bad"})

    assert (stale.status_code, champion(browser)) == (409, 3)
    assert "key 7 set it to version 3 (&lt;b&gt;better&lt;/b&gt;)" in said(stale)
    assert "It gets version 2, which it meant before" in stale.text
    assert 'name="why" value="bad"' in stale.text
    assert browser("POST", "/ui/names/churn/rollback", OWN, data=hidden(stale.text)).is_redirect
    assert champion(browser) == 2


def compare(app: FastAPI, name: str) -> None:
    """Write what a producer has compared: above its median, `a` has other answers."""
    engine, pair = app.state.services.jobs.engine, Pair(name, 2, 3)
    rows = [
        ComparedRow({"a": n, "<i>": "<b>"}, Outcome(n > 3, 4.0 if n > 3 else 0.0)) for n in range(8)
    ]
    add_counts(engine, pair, Counts(1, 8, 4, 8, 16.0, 4.0))
    add_features(engine, pair, count_rows(rows))


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/ui/names/nothing", 404, "there is no name nothing"),
        ("GET", "/ui/names/churn?cursor=x", 422, "cursor: "),
        ("GET", "/ui/names?sort=x", 422, "sort: "),
        ("GET", "/ui/names/churn/promote?alias=champion&version=9", 404, "has no version 9"),
        ("GET", "/ui/names/churn/promote?alias=champion", 422, "version: "),
        ("GET", "/ui/names/churn/promote?alias=champion&version=1&metric=rsme", 422, "rmse"),
        ("GET", "/ui/names/churn/rollback?alias=nobody", 404, "has no alias nobody"),
        ("GET", "/ui/names/churn/split?weights=1", 422, "weights: "),
        ("GET", "/ui/names/churn/end-shadow", 404, "churn has no shadow"),
        ("POST", "/ui/names/nothing/end-split", 404, "there is no name nothing"),
        ("POST", "/ui/names/churn/split", 422, "weights: "),
    ],
)
def test_what_is_wrong_is_said(
    browser: Client, method: str, path: str, status: int, text: str
) -> None:
    answer = browser(method, path, OWN)

    assert answer.status_code == status
    assert text in said(answer).replace("&#34;", '"')


def test_who_may_only_read_sees_no_forms_and_other_owners_no_values_of_calls(sqlite_url) -> None:
    with application(sqlite_url, auth="on") as app:
        fill(app, "red~")
        engine = app.state.services.jobs.engine
        keys = {
            (owner, scope): create_key(engine, NewKey(name="n", owner=owner, scopes=[scope]))[1]
            for owner in ("red", "blue")
            for scope in (Scope.MODELS, Scope.PREDICT)
        }
        app.state.keys.refresh()

        def ask(owner: str, scope: Scope, method: str, path: str, **more):
            key = {"Authorization": f"Bearer {keys[owner, scope]}"}
            return Client(app)(method, path, {**key, **OWN}, **more)

        shadow = {"alias": "champion", "version": 3, "share": 1}
        ask("red", Scope.MODELS, "PUT", "/models/churn/shadow", json=shadow)
        ask("red", Scope.MODELS, "PUT", "/models/churn/grants/blue")
        compare(app, "red~churn")
        own = ask("red", Scope.MODELS, "GET", "/ui/names/churn").text
        reader = ask("red", Scope.PREDICT, "GET", "/ui/names/churn").text
        shared = ask("blue", Scope.MODELS, "GET", "/ui/names/red~churn").text
        told = ask("blue", Scope.MODELS, "GET", "/models/red~churn/shadow").json()
        refused = ask("red", Scope.PREDICT, "POST", "/ui/names/churn/end-shadow")
        foreign = ask("blue", Scope.MODELS, "POST", "/ui/names/red~churn/end-shadow")

    assert "Promote…" in own
    assert "~" not in own
    assert "unevenness" in own
    assert "unevenness" in reader
    for page in (reader, shared):
        assert "Promote…" not in page
        assert "Roll back…" not in page
        assert "End the shadow…" not in page
    assert "unevenness" not in shared
    assert told["compared"][0]["rows"] == 8
    assert told["compared"][0]["features"] is None
    assert (refused.status_code, foreign.status_code) == (403, 404)
