"""Run in `.venv-mlflow`: load exported models by MLflow, and make models with its ONNX flavour.

Reads `{"answer": [[folder, rows]], "make": [[folder, onnx, columns]]}` as JSON from stdin, and
writes what the models answer as a list of rows each, and what MLflow says of their signatures.
Nothing of Warren may be here.
"""

import importlib.util
import json
import sys
from pathlib import Path

import mlflow.onnx
import mlflow.pyfunc
import numpy as np
import onnx
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from mlflow.types import ColSpec, Schema


def answer(folder, rows):
    """Return the answers of an exported model to rows, NaN as None, and its signature."""
    model = mlflow.pyfunc.load_model(folder)
    example = model.input_example
    try:
        found = model.predict(pd.DataFrame(rows))
    except Exception as error:  # noqa: BLE001  the test looks at it
        return {"error": str(error)}
    records = [
        {name: None if isinstance(value, float) and value != value else value
         for name, value in row.items()}
        for row in found.to_dict("records")
    ]  # fmt: skip
    return {
        "records": records,
        "columns": list(found.columns),
        "served": found.equals(model.predict(served(model, rows))),
        "inputs": columns_of(model.metadata.get_input_schema()),
        "outputs": columns_of(model.metadata.get_output_schema()),
        "example": None if example is None else example.to_dict("records"),
    }


def served(model, rows):
    """Return what MLflow's server makes of JSON with the rows."""
    return infer_and_parse_data({"dataframe_records": rows}, model.metadata.get_input_schema())


def columns_of(schema):
    """Return the columns of a part of a signature, None if it is not there."""
    return schema and schema.to_dict()


def make(folder, file, columns):
    """Save an ONNX file as MLflow's flavour of it; `columns` are names and types."""
    signature = None
    if columns:
        signature = ModelSignature(Schema([ColSpec(kind, name) for name, kind in columns]))
    requirements = ["onnx", "onnxruntime"]
    model = onnx.load(file)
    mlflow.onnx.save_model(model, folder, signature=signature, pip_requirements=requirements)


def plain(value):
    return value.item() if isinstance(value, np.generic) else str(value)


if __name__ == "__main__":
    assert importlib.util.find_spec("app") is None, "Warren can be imported here"
    asked = json.loads(sys.stdin.read())
    for each in asked.get("make", []):
        make(*each)
    found = [answer(*each) for each in asked.get("answer", [])]
    Path(asked["result"]).write_text(json.dumps(found, default=plain))
