import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from app import errors
from app.mlflow.environment import packages_of
from app.mlflow.export import export_of
from app.mlflow.signature import inputs_of
from app.models.manifest import OnnxManifest, TrainedManifest
from app.models.record import ModelRecord, Spec, StoredFile, TrainedSpec
from app.protocol.types import ModelKind
from tests.support import graphs
from tests.support.frames import manifest
from tests.support.rows import ENDPOINT

MADE = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
ODD = ['"quoted": \\', "new\nline\t", "\x7f\x85\u2028", "\U0001f600", "'", "#", "ü", "a: b"]


def record(kind: ModelKind = ModelKind.TRAINED, spec: Spec | None = None) -> ModelRecord:
    file = None if kind is ModelKind.ENDPOINT else StoredFile("models/m/1/", "a" * 64)
    spec = spec or TrainedSpec()
    return ModelRecord("red~m", kind, spec, file, "red~d", None, None, MADE, MADE)


def described(**changes: Any) -> TrainedManifest:
    return manifest(model_id="red~m", dataset_id="red~d", format=2, **changes)


def test_mlmodel_is_yaml_whatever_columns_and_labels_are_named() -> None:
    features = [{"name": name, "type": "number"} for name in ODD]
    sample = dict.fromkeys(ODD, 1.5)
    told = described(
        features=features,
        task="classification",
        labels=ODD,
        sample=sample,
        dataset_version="v1",
        estimator="logistic_regression",
    )
    export = export_of(record(), told, "m")
    read = yaml.safe_load(export.files["MLmodel"])
    inputs, outputs = (json.loads(read["signature"][part]) for part in ("inputs", "outputs"))
    assert [each["name"] for each in inputs] == ODD
    assert [each["name"] for each in outputs] == [
        "prediction",
        *(f"probability_{label}" for label in ODD),
    ]
    assert read["flavors"]["python_function"]["loader_module"] == "warren_pyfunc"
    assert read["utc_time_created"] == "2026-11-28 12:30:00.000000"
    assert read["metadata"] == {
        "warren_model_id": "m",
        "warren_estimator": "logistic_regression",
        "warren_dataset_version": "v1",
    }
    assert json.loads(export.files["input_example.json"]) == {"columns": ODD, "data": [[1.5] * 8]}


def test_a_type_of_mlflow_that_would_change_a_value_is_any() -> None:
    kinds = ("number", "boolean", "text", "category", "date")
    features = [
        {"name": f"{kind}-{nullable}", "type": kind, "nullable": nullable}
        for kind in kinds
        for nullable in (False, True)
    ]
    found = {each["name"]: each["type"] for each in inputs_of(described(features=features))}
    assert {name: kind for name, kind in found.items() if kind != "any"} == {
        "boolean-False": "boolean",
        "text-False": "string",
        "text-True": "string",
    }


def test_an_export_does_not_name_the_owner() -> None:
    export = export_of(record(), described(), "m")
    assert not [name for name, content in export.files.items() if b"red~" in content]


def test_the_tag_changes_with_the_file_and_with_what_describes_it() -> None:
    first = export_of(record(), described(), "m").tag
    assert export_of(record(), described(), "m").tag == first
    assert export_of(record(), described(labels=["a"]), "m").tag != first
    other = replace(record(), file=StoredFile("models/m/1/", "b" * 64))
    assert export_of(other, described(), "m").tag != first


def test_all_files_of_the_loader_are_there() -> None:
    files = export_of(record(), described(), "m").files
    names = {name for name in files if name.startswith("code/")}
    modules = ("__init__", "dates", "onnx_file", "sklearn_file", "tensors", "trained", "uploaded")
    assert names == {f"code/warren_pyfunc/{name}.py" for name in (*modules, "values")}


@pytest.mark.parametrize(
    ("estimator", "packages"),
    [
        ("knn_regressor", ["numpy", "pandas", "scikit-learn", "skops"]),
        ("lightgbm_regressor", ["lightgbm", "numpy", "pandas", "scikit-learn", "skops"]),
        ("xgboost_classifier", ["numpy", "pandas", "scikit-learn", "skops", "xgboost-cpu"]),
    ],
)
def test_a_pipeline_needs_the_package_of_its_estimator(estimator: str, packages: list[str]) -> None:
    assert packages_of(described(estimator=estimator, runtime="scikit-learn")) == packages


def test_an_endpoint_and_a_model_of_images_have_no_export() -> None:
    with pytest.raises(errors.Conflict, match="m is an endpoint"):
        export_of(record(ModelKind.ENDPOINT, ENDPOINT), None, "m")
    images = OnnxManifest.model_validate(graphs.IMAGES)
    with pytest.raises(errors.Conflict, match="m takes images"):
        export_of(record(ModelKind.ONNX, images), None, "m")
