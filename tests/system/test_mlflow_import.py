"""`PUT /models/{id}` takes the folder of an MLflow model with an ONNX flavour."""

import json
from pathlib import Path

import httpx2
import pytest

from tests.support import graphs
from tests.support.mlflow_folders import classifier, columns, folder, mlmodel, with_link, zipped
from tests.system.conftest import Running
from tests.system.support import mlflow_environment
from tests.system.support.client import is_problem

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = {"MAX_MODEL": "3000000"}
ZIP = {"Content-Type": "application/zip"}
AB = columns("a", "b")
ROWS = [{"a": n / 3, "b": n - 2.5} for n in range(5)]
DOUBLES = [["a", "double"], ["b", "double"]]


def put(http: httpx2.Client, model_id: str, archive: bytes, **params: str) -> httpx2.Response:
    return http.put(f"/models/{model_id}", content=archive, headers=ZIP, params=params)


def zip_of(path: Path) -> bytes:
    """Return a zip of a folder, as a user makes one."""
    files = [each for each in path.rglob("*") if each.is_file()]
    return zipped({str(each.relative_to(path.parent)): each.read_bytes() for each in files})


def test_what_mlflow_has_saved_answers_as_it_does_there(running: Running, tmp_path: Path) -> None:
    models = {"regressor": graphs.linear(), "classes": classifier(["no", "yes", "maybe"])}
    for name, file in models.items():
        (tmp_path / f"{name}.onnx").write_bytes(file)
    made = [[str(tmp_path / n), str(tmp_path / f"{n}.onnx"), DOUBLES] for n in models]
    there = mlflow_environment.run(tmp_path, make=made, answer=[[made[0][0], ROWS]])
    for name in models:
        answer = put(running.http, name, zip_of(tmp_path / name))
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"model_id": name, "kind": "onnx"}

    asked = {"model_id": "regressor", "input_data": ROWS}
    found = running.http.post("/predict", json=asked).json()["message"]
    assert found["prediction"] == [each["y"] for each in there[0]["records"]]
    described = running.http.get("/metadata", params={"model_id": "classes"}).json()
    assert described["labels"] == ["no", "yes", "maybe"]
    asked["model_id"] = "classes"
    found = running.http.post("/predict", json=asked).json()["message"]
    assert set(found["prediction"]) <= {"no", "yes", "maybe"}


def test_the_same_folder_again_is_known_and_another_one_is_refused(running: Running) -> None:
    archive = folder(graphs.linear(), AB)
    assert put(running.http, "again", archive).status_code == 201
    assert put(running.http, "again", archive).status_code == 200
    manifest = json.dumps(graphs.LINEAR)
    files = {"model": ("model.onnx", graphs.linear())}
    as_form = running.http.put("/models/again", data={"manifest": manifest}, files=files)
    assert as_form.status_code == 200, as_form.text
    other = folder(graphs.linear(), columns("a", "c"))
    assert is_problem(put(running.http, "again", other), 409)["field"] == "model_id"
    file = running.http.get("/models/again/file")
    assert file.content == graphs.linear()


def test_a_folder_becomes_the_next_version_of_a_name(running: Running) -> None:
    archive = folder(graphs.linear(), AB)
    for number in (1, 2):
        assert put(running.http, f"linear-{number}", archive, name="linear").status_code == 201
        assert running.http.get("/models/linear").json()["version"] == number
    assert put(running.http, "linear-2", archive, name="linear").status_code == 200
    assert is_problem(put(running.http, "linear-2", archive), 409)["field"] == "name"
    wrong = put(running.http, "linear-3", archive, name="a b")
    assert is_problem(wrong, 422)["field"] == "name"
    body = {"url": "http://127.0.0.1:1/predict"}
    refused = running.http.put("/models/far", json=body, params={"name": "linear"})
    assert "put it into the body" in is_problem(refused, 422)["detail"]


def test_code_of_a_folder_is_never_run(running: Running, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = f"open({str(mark)!r}, 'w')".encode()
    more = dict.fromkeys(("code/onnx.py", "sitecustomize.py", "app/__init__.py"), evil)
    assert put(running.http, "code", folder(graphs.linear(), AB, **more)).status_code == 201
    assert not mark.exists()


@pytest.mark.parametrize(
    ("archive", "status", "said"),
    [
        (b"", 422, "empty"),
        (b"PK\x05\x06", 422, "zip"),
        (zipped({"MLmodel": mlmodel(AB), "../../x": b""}), 422, "outside"),
        (with_link("/etc/passwd"), 422, "link"),
        (folder(b"\0" * 3_000_001, AB), 413, "over the limit of 3000000"),
        (zipped({"MLmodel": b"[" * 900_000}), 422, "MLmodel"),
        (zipped({"MLmodel": b"a: &a [x]\nflavors: [*a, *a]"}), 422, "aliases"),
        (zipped({"MLmodel": b"a: [" + b"[], " * 240_000 + b"]"}), 422, "values"),
        (folder(graphs.probabilities(3), columns("a")), 422, "send the ONNX file with a manifest"),
        (folder(graphs.linear(), columns("a", "b", "c")), 422, "takes 2 columns"),
        (folder(graphs.words(), columns("word", "a")), 422, "do not tell"),
        (b"\0" * 3_000_001, 413, "over the limit"),
    ],
    ids=[
        *("nothing", "no zip", "path", "link", "zip bomb", "deep YAML", "aliases", "much YAML"),
        *("no labels", "columns", "outputs", "long body"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(
    running: Running, archive: bytes, status: int, said: str
) -> None:
    assert said in is_problem(put(running.http, "refused", archive), status)["detail"]
    assert is_problem(running.http.get("/models/refused"), 404)


def test_the_checks_of_an_upload_hold(running: Running) -> None:
    """The file is inspected as one with a manifest is; nobody sent the manifest that it names."""
    archive = folder(classifier(["a", "b"], post_transform="NONE", intercept=7.0), AB)
    refused = is_problem(put(running.http, "scores", archive), 422)
    assert refused["field"] == "model"
    assert "probabilities" in refused["detail"]
