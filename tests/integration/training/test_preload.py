"""The fork server imports the libraries, so that no fit has to wait for them."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.training.fit_process import PRELOADED_MODULES
from devstack.layout import ROOT

LIBRARIES = {"sklearn.ensemble", "skl2onnx", "onnxruntime", "pandas"}


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


@pytest.mark.parametrize("name", PRELOADED_MODULES)
def test_a_module_that_is_preloaded_exists(name: str) -> None:
    importlib.import_module(name)  # the fork server passes over one that does not


def test_a_child_finds_the_libraries_imported(found: dict[str, Any]) -> None:
    assert not found["forked here"]
    assert LIBRARIES & set(found["parent"]) == set(), "then the child may have them from there"
    assert LIBRARIES - set(found["child"]) == set()


def test_a_child_finds_each_preloaded_module_imported(found: dict[str, Any]) -> None:
    assert set(PRELOADED_MODULES) - set(found["child"]) == set()
