"""The fork server imports the libraries, so that no fit has to wait for them."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.inference.sklearn_runtime import CHILD_MODULE as ANSWERING_CHILD
from app.training.fit_process import CHILD_MODULE
from devstack.layout import ROOT

LIBRARIES = {"sklearn.ensemble", "pandas"}  # a consumer does not import them itself
OF_THE_CONSUMER = {
    "app.consumer.handlers.train",
    "app.consumer.handlers.predict",
    "app.consumer.handlers.predict_remote",
    "app.jobs.relay",
    "onnxruntime",
    "aiohttp",
    "click",
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a fit's child, and its parent, find imported when the child starts."""
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("preloaded.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(ended.stdout))


@pytest.mark.parametrize("module", [CHILD_MODULE, ANSWERING_CHILD])
def test_the_child_s_module_exists(module: str) -> None:
    importlib.import_module(module)  # the fork server passes over one that does not


def test_a_child_finds_the_libraries_imported(found: dict[str, Any]) -> None:
    assert not found["forked here"]
    assert LIBRARIES & set(found["parent"]) == set(), "then the child may have them from there"
    assert LIBRARIES - set(found["child"]) == set()


def test_a_child_finds_each_module_of_the_consumer_imported(found: dict[str, Any]) -> None:
    assert OF_THE_CONSUMER - set(found["child"]) == set()
    assert {CHILD_MODULE, *found["asked for"]} - set(found["child"]) == set()
