"""What the client sends of models that were not trained here."""

import io
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from warren_client import errors


def a_folder(place: Path) -> Path:
    folder = place / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "code" / "x.py").write_text("pass")
    return folder


def answered(scripted, count=1):
    for _ in range(count):
        scripted.script.answer(201, {"model_id": "m"})
        scripted.script.answer(200, {"model_id": "m", "kind": "onnx"})


def test_a_folder_of_mlflow_goes_as_a_zip_and_its_id_follows_from_the_content(scripted, tmp_path):
    folder = a_folder(tmp_path)
    answered(scripted, 3)
    scripted.warren.models.upload(folder)
    os.utime(folder / "MLmodel", (0, 0))
    scripted.warren.models.upload(folder)
    (folder / "MLmodel").write_text("flavors: {onnx: {}}")
    scripted.warren.models.upload(folder)

    first, again, other = [each for each in scripted.script.asked if each.method == "PUT"]
    assert first.headers["Content-Type"] == "application/zip"
    with ZipFile(io.BytesIO(first.body)) as archive:
        assert sorted(archive.namelist()) == ["MLmodel", "code/x.py"]
        assert archive.read("MLmodel") == b"flavors: {}"
    assert (first.path, first.body) == (again.path, again.body)
    assert other.path != first.path


def test_a_zip_goes_as_it_is(scripted, tmp_path):
    file = tmp_path / "model.zip"
    file.write_bytes(b"PK...")
    answered(scripted)
    assert scripted.warren.models.upload(file, model_id="mine").id == "m"
    put = scripted.script.asked[0]
    assert (put.path, put.body) == ("/models/mine", b"PK...")


def test_what_is_no_model_of_mlflow_is_not_sent(scripted, tmp_path):
    for file, said in (
        (tmp_path, "has no file MLmodel"),
        (tmp_path / "a.onnx", "needs a manifest"),
    ):
        with pytest.raises(errors.Unsendable, match=said):
            scripted.warren.models.upload(file)
    assert scripted.script.asked == []


def test_a_folder_may_become_the_next_version_of_a_name(scripted, tmp_path):
    folder = a_folder(tmp_path)
    answered(scripted, 2)
    scripted.warren.models.upload(folder)
    scripted.warren.models.upload(folder, name="churn")

    unnamed, named = [each for each in scripted.script.asked if each.method == "PUT"]
    assert named.path.endswith("?name=churn")
    assert named.path.partition("?")[0] != unnamed.path  # because it is registered otherwise
    assert named.body == unnamed.body


def test_an_endpoint_is_registered_as_it_is_described(scripted):
    answered(scripted)
    endpoint = {"url": "http://127.0.0.1:1/predict", "seconds": 5}
    scripted.warren.models.register("far", endpoint, name="churn")

    put = scripted.script.asked[0]
    assert (put.method, put.path) == ("PUT", "/models/far")
    assert put.json() == {"kind": "endpoint", **endpoint, "name": "churn"}


def test_an_alias_that_may_have_been_deleted_is_not_deleted_again(scripted):
    scripted.script.answer(204)
    scripted.warren.models.delete_alias("churn", "champion")
    assert scripted.script.asked[0].path == "/models/churn/aliases/champion"
    scripted.script.answer(503)
    with pytest.raises(errors.Unavailable):
        scripted.warren.models.delete_alias("churn", "champion")
