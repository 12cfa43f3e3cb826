import pytest

from app import errors
from app.inference.onnx_session import load_session
from tests.support import graphs


def test_a_graph_is_loaded():
    (known,) = load_session(graphs.linear()).get_inputs()

    assert known.name == "x"


def test_what_is_no_graph_is_corrupt():
    with pytest.raises(errors.Corrupt, match="the stored model cannot be loaded"):
        load_session(b"garbage")
