"""The pages below /ui in a browser: what a person does, with and without scripts, for everybody.

Every page is checked by axe-core, in light and dark, and for its width on a telephone.
"""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pika
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from app.amqp.topology import TRAIN_QUEUE
from tests.system.conftest import Running
from tests.system.support.client import ENDLESS, reached, train, trained
from tests.system.support.processes import SECONDS, until

AXE = Path(__file__).with_name("node") / "node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ODD = '<img src=x onerror="document.title=1">&\'s'  # a column
NARROW = {"width": 360, "height": 740}
FIRST_VIEW = 80_000  # bytes
Open = Callable[..., Page]


def table(rows: int = 60) -> str:
    """A CSV with a column whose name is markup, one of texts, and two targets."""
    text = io.StringIO()
    made = csv.writer(text)
    made.writerow([ODD, "colour", "price", "kind"])
    for n in range(rows):
        made.writerow(
            [n, ("red", "blue", "<b>green</b>")[n % 3], 2.5 * n + n % 7, ("a", "<b>")[n % 2]]
        )
    return text.getvalue()


@pytest.fixture
def opened(browser: Browser, running: Running) -> Iterator[Open]:
    """Open a context of the browser; what a policy forbids, and errors of scripts, are failures."""
    contexts: list[BrowserContext] = []
    failures: list[str] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(base_url=str(running.http.base_url), **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on(
            "console",
            lambda said: failures.append(said.text) if "Security Policy" in said.text else None,
        )
        return page

    yield open_page
    for each in contexts:
        each.close()
    assert failures == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_person_uploads_trains_looks_predicts_and_cancels(
    opened: Open, running: Running, tmp_path: Path, scripts: bool
) -> None:
    file = tmp_path / "houses.csv"
    file.write_text(table())
    page = opened(java_script_enabled=scripts)
    name = f"houses-{scripts}"

    page.goto("/ui")
    page.get_by_role("link", name="Data sets").click()
    page.get_by_role("link", name="Upload a data set").click()
    page.get_by_label("Its name").fill(name)
    page.get_by_role("button", name="Next").click()
    page.get_by_label(f"The file of {name}").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name=f"Data set {name}")).to_be_visible()
    expect(page.get_by_role("rowheader", name=ODD)).to_be_visible()

    page.get_by_role("link", name="Train on it").click()
    page.get_by_label("Target").select_option("price")
    page.get_by_role("combobox", name="Estimator").select_option("random_forest_regressor")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_role("heading", name="Job", exact=False).first).to_be_visible()
    watch(page, "completed", scripts=scripts)

    page.get_by_role("link", name="The model").click()
    for plot in ("Predicted against actual values", "Importance of the features"):
        expect(page.get_by_role("img", name=plot)).to_be_visible()
    page.get_by_role("textbox", name="colour").fill("red")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_text("Prediction: ")).to_be_visible()
    page.get_by_role("textbox", name=ODD).fill("many")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("must be a number")

    endless = train(running.http, dataset_id=name, features=["colour"], target="price", **ENDLESS)
    page.goto("/ui/jobs?state=TASK_COMPLETED")
    expect(page.get_by_role("link", name=endless[:14])).to_have_count(0)
    page.goto(f"/ui/jobs/{endless}")
    page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("button", name="Cancel job").click()
    watch(page, "cancelled", scripts=scripts)
    reached(running.http, endless, "TASK_CANCELLED")


def watch(page: Page, state: str, *, scripts: bool) -> None:
    """Wait until the page of a job shows a state, by itself or after it is loaded again."""
    shown = page.locator("#live .state").first
    if scripts:
        expect(shown).to_have_text(state)
        return

    shown.wait_for()  # a page is on its way, and must have come before it is loaded again

    def seen() -> bool:
        page.reload()
        return shown.inner_text() == state

    until(seen, f"the job is {state}")


@dataclass(frozen=True)
class Made:
    """What the pages show: data, models of two kinds, a job that failed and one that runs.

    The name `prices` has all that a name can have.
    """

    regressor: str
    classifier: str
    failed: str
    running: str


@pytest.fixture(scope="module")
def made(running: Running) -> Iterator[Made]:
    http = running.http
    assert http.put("/datasets/odd", content=table()).status_code == 201
    common = {"dataset_id": "odd", "features": [ODD, "colour"]}
    made = Made(
        trained(http, **common, target="price", cv=3, tags=["first"]),
        trained(http, **common, target="kind", estimator="random_forest_classifier"),
        train(http, **common, target="nothing"),
        train(http, **common, target="price", **ENDLESS),
    )
    reached(http, made.failed, "TASK_ERROR")
    fill_name(http, common)
    yield made
    http.delete(f"/jobs/{made.running}")


def fill_name(http: httpx2.Client, common: dict[str, Any]) -> None:
    """Give `prices` two versions, an alias to the better one, a split, a shadow with counts."""
    for depth in (9, 1):
        tree = {"estimator": "decision_tree_regressor", "params": {"max_depth": depth}}
        trained(http, **common, **tree, target="price", name="prices")
    for path, body in {
        "aliases/champion": {"version": 1, "why": "<b>first</b>"},
        "split": {"weights": {"1": 9, "2": 1}},
        "shadow": {"alias": "champion", "version": 2, "share": 1},
    }.items():
        http.put(f"/models/prices/{path}", json=body).raise_for_status()
    rows = [{ODD: n, "colour": ("red", "blue")[n % 2]} for n in range(40)]
    asked = {"model_id": "prices@champion", "input_data": rows}

    def counted() -> Any:
        # A busy machine may not let the shadow answer in time, so the call is repeated.
        assert http.post("/predict", json=asked).status_code == 200
        compared = http.get("/models/prices/shadow").json()["compared"]
        return compared and compared[0]["features"]

    until(counted, "the shadow is compared by feature")


def paths(made: Made) -> list[str]:
    """Return the address of each page."""
    both = f"{made.regressor},{made.classifier}"
    return [
        "/ui",
        "/ui/jobs",
        f"/ui/jobs/{made.regressor}",
        f"/ui/jobs/{made.failed}",
        f"/ui/jobs/{made.running}",
        f"/ui/jobs/{made.running}/cancel",
        "/ui/run-jobs-again?dataset_id=odd",
        "/ui/models",
        f"/ui/models/{made.regressor}",
        f"/ui/models/{made.classifier}",
        f"/ui/models/{made.classifier}/report.html",
        f"/ui/models/{made.regressor}/delete",
        f"/ui/compare?model_ids={both}&all=true",
        "/ui/names",
        "/ui/names/prices",
        "/ui/names/prices/promote?alias=champion&version=2&metric=rmse",
        "/ui/names/prices/rollback?alias=champion",
        "/ui/names/prices/split?weights=1%3D1",
        "/ui/names/prices/shadow?alias=champion&version=2&share=0.5",
        "/ui/datasets",
        "/ui/datasets/odd",
        "/ui/datasets/odd/delete",
        "/ui/workers",
        "/ui/upload",
        "/ui/upload?dataset_id=new",
        "/ui/train",
        f"/ui/train?job_id={made.regressor}",
        "/ui/dead-letters",
        "/ui/dead-letters/ask?action=drop&ids=a",
        "/ui/nowhere",
        "/asyncapi",
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_for_everybody_and_fits_a_telephone(
    opened: Open, made: Made, scheme: str
) -> None:
    if not AXE.exists() and not os.environ.get("CI"):
        pytest.skip("axe-core is not installed")
    page = opened(viewport=NARROW, color_scheme=scheme, reduced_motion="reduce")
    found: dict[str, Any] = {}
    for path in paths(made):
        page.goto(path)
        page.evaluate(AXE.read_text())
        run = "tags => axe.run({runOnly: {type: 'tag', values: tags}})"
        violations = page.evaluate(run, TAGS)["violations"]
        broken = [f"{each['id']}: {each['nodes'][0]['html']}" for each in violations]
        width = page.evaluate("document.documentElement.scrollWidth")
        if broken or width > NARROW["width"]:
            found[path] = (broken, width)
        assert page.title() != "1", "markup in the name of a column has run"
    assert found == {}


def test_a_first_view_is_small(opened: Open, made: Made) -> None:
    for path in paths(made):
        assert 1_000 < weight(opened(), path) < FIRST_VIEW, path


def weight(page: Page, path: str) -> int:
    """Return the bytes of a page with its files, for a browser that has none of them yet."""
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(path, wait_until="load")
    bytes_ = sum(len(each.body()) for each in answers)
    page.context.close()
    return bytes_


def test_a_page_keeps_the_focus_while_it_refreshes_and_stops_when_told(
    opened: Open, running: Running, made: Made
) -> None:
    page = opened()
    page.goto("/ui/jobs?dataset_id=odd")
    link = page.get_by_role("rowheader", name=made.failed[:14]).get_by_role("link")
    link.focus()

    newest = train(running.http, dataset_id="odd", features=["colour"], target="nothing")

    expect(page.get_by_role("rowheader", name=newest[:14])).to_be_visible()
    expect(link).to_be_focused()
    pause = page.get_by_role("button", name="Pause updates")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    reached(running.http, newest, "TASK_ERROR")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    pause.click()
    expect(page.locator("tbody tr").first.locator(".state")).to_have_text("error")
    assert asked


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_person_promotes_a_version_in_spite_of_the_check_and_rolls_back(
    opened: Open, made: Made, scripts: bool
) -> None:
    page = opened(java_script_enabled=scripts)
    page.goto("/ui/models/prices:1")
    page.get_by_role("link", name="Its name, prices").click()
    expect(page.get_by_text("unevenness").first).to_be_visible()

    page.get_by_label("Check that it is not worse by").select_option("rmse")
    page.get_by_label("Why").fill("a drill")
    page.get_by_role("button", name="Promote…").click()
    expect(page.get_by_role("alert")).to_contain_text("Version 2 is worse than version 1")
    page.get_by_role("button", name="Promote version 2").click()
    expect(page.get_by_role("alert")).to_be_visible()  # refused, and told again
    page.get_by_role("checkbox", name="Force it all the same").check()
    page.get_by_role("button", name="Promote version 2").click()
    expect(page.get_by_text("set, forced").first).to_be_visible()

    page.get_by_role("link", name="Roll back champion").click()
    page.get_by_label("Why").fill("it was a drill")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("it was a drill").first).to_be_visible()
    expect(page.get_by_role("row", name="champion 1")).to_be_visible()


def test_a_dead_letter_is_shown_and_dropped(
    running: Running, connection: pika.BlockingConnection
) -> None:
    http = running.http
    connection.channel().basic_publish("", TRAIN_QUEUE, b"<b>no JSON</b>")

    def ids() -> list[str]:
        page = http.get("/ui/dead-letters").text
        assert "<b>no JSON" not in page
        return re.findall(r'name="ids" value="([^"]*)"', page)

    (dead,) = until(ids, "the message is among the dead letters") or []
    asked = http.get("/ui/dead-letters/ask", params={"action": "drop", "ids": dead})
    assert "Drop 1 dead letter?" in asked.text
    answer = http.post("/ui/dead-letters", data={"action": "drop", "ids": dead})
    assert answer.headers["location"] == "/ui/dead-letters?done=1"
    assert ids() == []
    again = http.post("/ui/dead-letters", data={"action": "drop", "ids": dead})
    assert (again.status_code, f"<code>{dead}</code>" in again.text) == (409, True)
    assert "somebody has replayed or dropped 1 of the chosen messages" in again.text
    assert "None of them is left" in again.text
