import subprocess
import sys

import pytest

from tests.conftest import ROOT

CODE = """
import importlib, os, sys

class Watch:
    def find_spec(self, name, *_):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Watch())
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize(
    "module",
    [
        "app.inference.onnx_session",
        "app.inference.inspection_child",
        "app.training.fit_child",
        "app.consumer.consumer",
    ],
)
def test_telemetry_is_off_before_onnxruntime_is_imported(module):
    said = subprocess.run(
        [sys.executable, "-c", CODE, module], cwd=ROOT, env={}, capture_output=True, check=True
    )

    assert said.stdout == b"1\n"
