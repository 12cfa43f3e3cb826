"""One table in every form: uploaded, trained and asked, each gives the model of the plain CSV."""

import gzip
import io
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from devstack.demo import TRAIN
from tests.support.datasets import DATA_SETS
from tests.system.conftest import Running
from tests.system.support.client import is_problem, job, predict, trained

FEATURES = ["Displacement", "Weight_in_lbs", "Acceleration", "Origin"]
TARGET = "Miles_per_Gallon"
ROW = {"Displacement": 97.5, "Weight_in_lbs": 2130, "Acceleration": 14.5, "Origin": "Japan"}
CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"


@cache
def cars() -> pd.DataFrame:
    """Some cars, among them such that lack a value."""
    frame = DATA_SETS["vega_datasets.cars"].frame()[[*FEATURES, TARGET]]
    return frame.sort_index().reset_index(drop=True)


def csv(**options: Any) -> bytes:
    """Return the cars as a CSV."""
    return bytes(cars().to_csv(**{"index": False, **options}).encode())


def arrow(new: Any) -> bytes:
    """Return the cars as an Arrow file or stream."""
    table = pa.Table.from_pandas(cars(), preserve_index=False)
    sink = io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def form(content: bytes, kind: str) -> bytes:
    """Return a form of one file, between boundaries of "b"."""
    head = f'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\nContent-Type: {kind}'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


SWAPPED = str.maketrans(",.", ".,")


def grouped() -> bytes:
    """Return the cars in German notation, with groups of thousands."""
    frame = cars().map(
        lambda cell: (
            cell
            if isinstance(cell, str)
            else ""
            if cell != cell
            else f"{cell:,}".translate(SWAPPED)
        )
    )
    return bytes(frame.to_csv(index=False, sep=";").encode())


FORM = "multipart/form-data; boundary=b"
# By name: the query, the body, its media type, and what the answer says of its dialect; None: it
# has none.
FORMS: dict[str, tuple[str, bytes, str, dict[str, Any] | None]] = {
    "semicolons": ("", csv(sep=";", decimal=","), CSV, {"delimiter": ";", "decimal": ","}),
    "tabs": ("", csv(sep="\t"), "text/tab-separated-values", {"delimiter": "\t"}),
    "bars": ("", csv(sep="|"), CSV, {"delimiter": "|"}),
    "bom": ("", b"\xef\xbb\xbf" + csv(), CSV, {"encoding": "utf-8"}),
    "cr": ("", csv(lineterminator="\r"), CSV, {"line_end": "cr"}),
    "index": ("", csv(index=True), CSV, {"index": "first"}),
    "named": ("?index=true", csv(index=True, index_label="id"), CSV, {"index": "first"}),
    "extra": ("?index=true", csv(index=True, index_label=False), CSV, {"index": "extra"}),
    "sep-line": ("", b"sep=;\r\n" + csv(sep=";"), CSV, {"delimiter": ";", "skipped_lines": 1}),
    "groups": ("?thousands=point", grouped(), CSV, {"thousands": ".", "decimal": ","}),
    "gzip": ("", gzip.compress(csv()), "application/gzip", {"compression": "gzip"}),
    "utf-16": ("", csv(sep="\t").decode().encode("utf-16"), CSV, {"encoding": "utf-16"}),
    "western": ("?encoding=windows-1252", csv(), CSV, {"encoding": "windows-1252"}),
    "parquet": ("", cars().to_parquet(index=False), PARQUET, None),
    "arrow": ("", arrow(pa.ipc.new_file), "application/vnd.apache.arrow.file", None),
    "stream": ("", arrow(pa.ipc.new_stream), "application/vnd.apache.arrow.stream", None),
    "form": ("", form(csv(), CSV), FORM, {"delimiter": ","}),
    "form-of-parquet": (
        "",
        form(cars().to_parquet(index=False), "application/octet-stream"),
        FORM,
        None,
    ),
}


def model_of(running: Running, dataset_id: str) -> tuple[Any, Any]:
    """Train on a data set; return the metrics and an answer of the model."""
    model_id = trained(
        running.http,
        **{**TRAIN, "dataset_id": dataset_id, "features": FEATURES, "target": TARGET},
        estimator="random_forest_regressor",
        params={"n_estimators": 5, "random_state": 0},
    )
    return job(running.http, model_id)["metrics"], predict(running.http, model_id, ROW)[
        "prediction"
    ]


@pytest.fixture(scope="module")
def of_plain() -> dict[str, Any]:
    """Return what the plain CSV gave to the first test that asked."""
    return {}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_model_of_the_plain_csv(
    running: Running, name: str, of_plain: dict[str, Any]
) -> None:
    http = running.http
    if not of_plain:
        answer = http.put("/datasets/plain", content=csv(), headers={"Content-Type": CSV})
        of_plain.update(stored=answer.json(), model=model_of(running, "plain"))
    query, content, kind, dialect = FORMS[name]

    answer = http.put(f"/datasets/{name}{query}", content=content, headers={"Content-Type": kind})

    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert [stored[each] for each in ("columns", "rows")] == [
        *(of_plain["stored"][each] for each in ("columns", "rows"))
    ]
    assert stored["size"] == (len(content) if "boundary" not in kind else stored["size"])
    if dialect is None:
        assert stored["format"] == ("parquet" if "parquet" in name else "arrow")
        assert stored["dialect"] is None
    else:
        assert stored["format"] == "csv"
        assert dialect.items() <= stored["dialect"].items()
    assert model_of(running, name) == of_plain["model"]


@pytest.mark.parametrize(
    ("query", "content", "kind", "dialect"),
    [
        ("delimiter=semicolon", b"a;b,c\n1;2,3\n", CSV, {"delimiter": ";"}),
        ("delimiter=;&decimal=.", b"a;b\n1;2,3\n", CSV, {"delimiter": ";", "decimal": "."}),
        ("thousands=point", b"a;b\n1.234,5;2\n", CSV, {"thousands": ".", "decimal": ","}),
        ("index=true", b"id,a,b\nx,1,2\n", CSV, {"index": "first"}),
        ("", "ä,b\n1,2\n".encode("cp1252"), "text/csv; charset=windows-1252", {}),
        ("encoding=windows-1252", "ä,b\n1,2\n".encode("cp1252"), CSV, {}),
    ],
)
def test_an_option_says_how_a_csv_is_written(
    running: Running, query: str, content: bytes, kind: str, dialect: dict[str, Any]
) -> None:
    answer = running.http.put(
        f"/datasets/said?{query}", content=content, headers={"Content-Type": kind}
    )

    assert answer.status_code in (200, 201), answer.text
    assert dialect.items() <= answer.json()["dialect"].items()
    assert len(answer.json()["columns"]) == 2


@pytest.mark.parametrize(
    ("query", "content", "field", "said"),
    [
        ("", b"a;b,c\n1;2,3\n", "delimiter", "say delimiter=, or delimiter=;"),
        ("", b"a;b\n1,234;2\n", "decimal", "say decimal=, or thousands=,"),
        ("", b",a\nx,1\n", "index", "say index=true"),
        ("delimiter=colon", b"a,b\n1,2\n", "delimiter", "comma"),
        ("decimal=x", b"a,b\n1,2\n", "decimal", "point"),
        ("encoding=koi8-r", b"a,b\n1,2\n", "encoding", "windows-1252"),
        ("index=maybe", b"a,b\n1,2\n", "index", "true"),
        ("decimal=comma&thousands=comma", b"a;b\n1;2\n", "thousands", "they have to differ"),
        ("delimiter=;", b"PAR1\x15" + bytes(99), "delimiter", "an option of CSV"),
        ("", b"PAR1\x15" + bytes(99), "body", "it is not readable as Parquet"),
        ("", b"\xff\xff\xff\xff\x10\0\0\0" + bytes(99), "body", "it is not readable as Arrow"),
        ("", gzip.compress(csv())[:-9], "body", "the gzip data cannot be decoded"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_settles_it(
    running: Running, query: str, content: bytes, field: str, said: str
) -> None:
    answer = running.http.put(
        f"/datasets/refused?{query}", content=content, headers={"Content-Type": CSV}
    )

    problem = is_problem(answer, 422)
    assert problem["field"] == field
    assert said in problem["detail"]
    assert "refused" not in [
        each["id"] for each in running.http.get("/datasets").json()["datasets"]
    ]
