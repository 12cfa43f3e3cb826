"""Exported models answer in MLflow, where Warren is not installed, as /predict answers here."""

import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import httpx2
import pytest

from tests.support import graphs
from tests.support.exported_models import (
    DATES,
    FEATURES,
    HOUSES,
    PIPELINES,
    TRAININGS,
    TYPES,
    UPLOADED,
    UPLOADED_ROWS,
    asked_rows,
    csv,
)
from tests.system.conftest import Running
from tests.system.support import mlflow_environment
from tests.system.support.client import is_problem, reached, train, upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Compared(NamedTuple):
    """The rows that a model was asked, and what both answer."""

    rows: list[dict[str, Any]]
    here: dict[str, Any]
    there: dict[str, Any]


@pytest.fixture(scope="module")
def models(running: Running) -> dict[str, str]:
    """The ids of trained and uploaded models, by their names here."""
    upload(running.http, HOUSES, csv())
    usual = {"dataset_id": HOUSES, "features": FEATURES, "types": TYPES}
    ids = {
        name: train(running.http, **{"preprocessing": DATES, **usual, "target": None, **changes})
        for name, changes in TRAININGS.items()
    }
    for name, model_id in ids.items():
        runtime = reached(running.http, model_id, "TASK_COMPLETED")["runtime"]
        assert runtime == ("scikit-learn" if name in PIPELINES else "onnx"), name
    for name, (file, manifest) in UPLOADED.items():
        files = {"model": ("model.onnx", file)}
        sent = {"manifest": json.dumps(manifest)}
        answer = running.http.put(f"/models/{name}", data=sent, files=files)
        assert answer.status_code == 201, answer.text
        ids[name] = name
    return ids


def exported(http: httpx2.Client, model_id: str, folder: Path) -> str:
    answer = http.get(f"/models/{model_id}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(folder)
    return str(folder)


@pytest.fixture(scope="module")
def compared(
    running: Running, models: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Compared]:
    """What the models answer here and in MLflow."""
    folder = tmp_path_factory.mktemp("exports")
    rows = {name: asked_rows() for name in TRAININGS} | UPLOADED_ROWS
    here = {}
    for name, model_id in models.items():
        body = {"model_id": model_id, "input_data": rows[name]}
        answer = running.http.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        here[name] = answer.json()["message"]
    folders = {name: exported(running.http, each, folder / name) for name, each in models.items()}
    there = mlflow_environment.run(folder, answer=[[folders[name], rows[name]] for name in models])
    return {
        name: Compared(rows[name], here[name], answers)
        for name, answers in zip(models, there, strict=True)
    }


@pytest.mark.parametrize("name", [*TRAININGS, *UPLOADED])
def test_an_export_answers_as_predict_does_to_the_last_bit(
    compared: dict[str, Compared], name: str
) -> None:
    rows, here, there = compared[name]
    assert "error" not in there, there
    assert [each["prediction"] for each in there["records"]] == here["prediction"]
    assert len(there["records"]) == len(rows)
    assert there["served"], "rows as JSON are answered as rows of a data frame"
    if not isinstance(here["pred_proba"][0], dict):
        assert there["columns"] == ["prediction"]
        return
    shares = [
        {key.removeprefix("probability_"): value for key, value in each.items()}
        for each in there["records"]
    ]
    assert [{**each, "prediction": None} for each in shares] == [
        {"prediction": None, **each} for each in here["pred_proba"]
    ]


def test_the_signature_names_inputs_and_outputs(compared: dict[str, Compared]) -> None:
    of = {name: each.there for name, each in compared.items()}
    kinds = {each["name"]: each["type"] for each in of["forest"]["inputs"]}
    assert kinds == {
        **dict.fromkeys(("area", "rooms", "zip", "built"), "any"),
        "garden": "boolean",
        "town": "string",
        "note": "string",
    }
    assert all(each["required"] for each in of["forest"]["inputs"])

    def outputs(name: str) -> list[tuple[str, str]]:
        return [(each["name"], each["type"]) for each in of[name]["outputs"]]

    assert outputs("forest") == [("prediction", "double")]
    assert outputs("undecided") == [("prediction", "string")]
    assert outputs("sold")[0] == ("prediction", "boolean")
    assert outputs("stars")[0] == ("prediction", "long")
    names = ["probability_flat", "probability_house", "probability_room"]
    assert outputs("kind") == [("prediction", "string"), *((name, "double") for name in names)]


def test_the_example_is_a_row_that_the_model_takes(
    running: Running, models: dict[str, str], compared: dict[str, Compared]
) -> None:
    for name in ("forest", "words"):
        described = running.http.get("/metadata", params={"model_id": models[name]}).json()
        assert compared[name].there["example"] == [described["sample"]["input_data"]]


def test_it_names_the_packages_of_this_environment(
    running: Running, models: dict[str, str], tmp_path: Path
) -> None:
    for name, packages in (
        ("forest", ["numpy", "onnxruntime", "pandas"]),
        ("bayes", ["numpy", "pandas", "scikit-learn", "skops"]),
    ):
        folder = Path(exported(running.http, models[name], tmp_path / name))
        lines = (folder / "requirements.txt").read_text().split()
        assert lines == ["mlflow>=2.20", *(f"{each}=={version(each)}" for each in packages)]


def test_the_same_export_has_the_same_bytes_and_tag(
    running: Running, models: dict[str, str]
) -> None:
    path = f"/models/{models['kind']}/export"
    first, second = running.http.get(path), running.http.get(path, params={"format": "mlflow"})
    assert first.content == second.content
    tag = first.headers["ETag"]
    assert tag == second.headers["ETag"]
    known = running.http.get(path, headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    assert running.http.head(path).headers["ETag"] == tag


def test_values_of_another_type_are_refused(
    running: Running, models: dict[str, str], tmp_path: Path
) -> None:
    folder = exported(running.http, models["forest"], tmp_path / "forest")
    good = {**asked_rows()[0], "built": "2024-02-29"}
    cases = [
        ({"rooms": None}, "row 1, column 'rooms': expected a number, not None"),
        ({"rooms": "3"}, "row 1, column 'rooms': expected a number, not '3'"),
        ({"built": "29.2.2024"}, "row 1, column 'built': expected a date"),
        ({"area": 1e39}, "expected a number from -3.4028e+38 to 3.4028e+38, or none, not 1e+39"),
    ]
    rows = [[folder, [good, {**good, **changes}]] for changes, _ in cases]
    without = {name: value for name, value in good.items() if name != "rooms"}
    *found, lacking = mlflow_environment.run(tmp_path, answer=[*rows, [folder, [without]]])
    for answer, (_, said) in zip(found, cases, strict=True):
        assert said in answer["error"]
    assert "missing inputs ['rooms']" in lacking["error"]


def test_format_onnx_is_the_file(running: Running, models: dict[str, str]) -> None:
    path = f"/models/{models['forest']}"
    found = running.http.get(f"{path}/export", params={"format": "onnx"})
    assert found.content == running.http.get(f"{path}/file").content
    refused = running.http.get(f"/models/{models['bayes']}/export", params={"format": "onnx"})
    assert "format=mlflow" in is_problem(refused, 409)["detail"]
    unknown = running.http.get(f"{path}/export", params={"format": "pickle"})
    assert is_problem(unknown, 422)["field"] == "format"


def test_images_and_endpoints_have_no_export(running: Running) -> None:
    files = {"model": ("model.onnx", graphs.colours())}
    sent = {"manifest": json.dumps(graphs.IMAGES)}
    assert running.http.put("/models/colours", data=sent, files=files).status_code == 201
    refused = is_problem(running.http.get("/models/colours/export"), 409)
    assert "takes images" in refused["detail"]
    assert running.http.get("/models/colours/export?format=onnx").content == graphs.colours()
