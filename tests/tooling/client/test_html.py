"""What a notebook shows of the client's objects."""

from html.parser import HTMLParser
from typing import Any

import pytest

from warren_client import AsyncWarren, Warren
from warren_client.asynchronous.datasets import AsyncDataset
from warren_client.asynchronous.job import AsyncJob
from warren_client.asynchronous.model import AsyncModel
from warren_client.blocking.datasets import Dataset
from warren_client.blocking.job import Job
from warren_client.blocking.model import Model
from warren_client.evaluation import Evaluation
from warren_client.html import MOST_CHARACTERS
from warren_client.records import DatasetRecord, JobRecord, ModelRecord

EVIL = "<script>alert('x')</script>\"&"
JOB = JobRecord(id="j", state="TASK_ERROR", dataset_id=EVIL, error={"detail": EVIL})
MODEL = ModelRecord(
    model_id="m", name="churn", version=3, target=EVIL, labels=[EVIL, 1], metrics={"r2": 0.5}
)
DATASET = DatasetRecord(id="d", rows=7, columns=[{"name": EVIL}])
EVALUATION = {"model_id": EVIL, "test_scores": {"r2": 0.512345, EVIL: None}}


class Page(HTMLParser):
    """The tags and the texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown() -> list[Any]:
    nobody: Any = None
    blocking = [Job(nobody, JOB), Model(nobody, MODEL), Dataset(nobody, DATASET)]
    others = [AsyncJob(nobody, JOB), AsyncModel(nobody, MODEL), AsyncDataset(nobody, DATASET)]
    return [*blocking, *others, Evaluation(EVALUATION)]


@pytest.mark.parametrize("each", shown(), ids=lambda each: type(each).__name__)
def test_an_object_is_a_table_in_which_texts_stay_texts(each: Any) -> None:
    page = Page(each._repr_html_())
    assert page.tags == {"table", "caption", "tr", "th", "td"}
    assert any(EVIL in text for text in page.texts)


def test_what_is_known_is_shown_and_long_texts_are_cut() -> None:
    nobody: Any = None
    texts = Page(Model(nobody, MODEL)._repr_html_()).texts
    assert {"churn:3", "r2 0.5"} <= {*texts}
    assert "features" not in texts
    long = DatasetRecord(id="d", columns=[f"column {n}" for n in range(1000)])
    assert len(Dataset(nobody, long)._repr_html_()) < MOST_CHARACTERS + 300


@pytest.mark.parametrize("client", [Warren, AsyncWarren])
def test_lists_say_what_they_are_and_ask_nothing(client: Any) -> None:
    warren = client("http://127.0.0.1:9")
    assert repr(warren.models) == "<models of the Warren at http://127.0.0.1:9>"
    assert repr(warren.datasets) == "<data sets of the Warren at http://127.0.0.1:9>"
    assert repr(warren.names) == "<names of the Warren at http://127.0.0.1:9>"
    assert repr(warren.jobs) == "<jobs of the Warren at http://127.0.0.1:9>"
