import signal
import sys

import pytest

from app import errors
from app.inference.inspection_process import inspect
from app.models.manifest import OnnxManifest
from tests.support import graphs

pytestmark = pytest.mark.anyio

SPEC = OnnxManifest.model_validate(graphs.LINEAR)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def file(tmp_path):
    def make(content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        return path.open("rb")

    return make


@pytest.fixture
def instead(monkeypatch, tmp_path):
    """Have the child run some other Python: `sys.executable` is what it is started by."""

    def run(code):
        path = tmp_path / "python"
        path.write_text(f"#!{sys.executable}\n{code}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return run


async def test_a_model_that_can_serve_passes(file):
    with file(graphs.linear()) as opened:
        await inspect(opened, SPEC)


async def test_a_model_that_cannot_serve_is_refused_by_its_field(file):
    with file(b"garbage") as opened, pytest.raises(errors.Invalid, match="ONNX") as caught:
        await inspect(opened, SPEC)

    assert caught.value.extra == {"field": "model"}


async def test_an_inspection_that_takes_too_long_is_ended(file, instead):
    instead("import time; time.sleep(60)")

    with file(b"") as opened, pytest.raises(errors.Invalid, match=r"longer than 0\.5 s"):
        await inspect(opened, SPEC, seconds=0.5)


@pytest.mark.parametrize(
    ("number", "says"),
    [(signal.SIGKILL, r"died \(SIGKILL\)"), (signal.SIGXCPU, "processor time")],
)
async def test_a_child_that_dies_says_why(file, instead, number, says):
    instead(f"import os; os.kill(os.getpid(), {int(number)})")

    with file(b"") as opened, pytest.raises(errors.Invalid, match=says):
        await inspect(opened, SPEC)


async def test_a_child_that_exits_says_with_which_status(file, instead):
    instead("raise SystemExit(3)")

    with file(b"") as opened, pytest.raises(errors.Invalid, match="exit status 3"):
        await inspect(opened, SPEC)


async def test_without_a_process_it_is_unavailable(file, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # Python's own name of itself

    with file(b"") as opened, pytest.raises(errors.Unavailable, match="No such file"):
        await inspect(opened, SPEC)
