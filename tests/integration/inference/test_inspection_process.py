import pytest

from app import errors
from app.inference.inspection_process import inspect
from app.models.manifest import OnnxManifest
from tests.support import graphs
from tests.support.killed import killed

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


async def test_a_model_that_can_serve_passes(file):
    with file(graphs.linear()) as opened:
        await inspect(opened, SPEC)


async def test_a_model_that_cannot_serve_is_refused_by_its_field(file):
    with file(b"garbage") as opened, pytest.raises(errors.Invalid, match="ONNX") as caught:
        await inspect(opened, SPEC)

    assert caught.value.extra == {"field": "model"}


async def test_a_child_that_is_killed_from_outside_says_nothing_about_the_model(file, tmp_path):
    with (
        killed("app.inference.inspection_child", tmp_path),
        file(graphs.linear()) as opened,
        pytest.raises(errors.Unavailable, match="the file is not at fault, so try again later"),
    ):
        await inspect(opened, SPEC)
