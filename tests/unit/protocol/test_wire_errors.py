import pytest

from app.errors import WarrenError
from app.protocol.wire_errors import error_from_wire
from tests.support.error_tree import tree


@pytest.mark.parametrize("cls", tree())
def test_every_error_survives_the_wire(cls):
    wire = {
        "type": cls.type,
        "detail": "what happened",
        "field": "features",
        "columns": ["a", "b"],
    }

    again = error_from_wire(wire)

    assert again.to_wire() == wire

    assert type(again) is cls
    assert again.detail == "what happened"
    assert again.extra == {"field": "features", "columns": ["a", "b"]}


@pytest.mark.parametrize("wire", [{"type": "of tomorrow", "detail": "x"}, {"detail": "x"}])
def test_an_unknown_type_becomes_a_plain_error(wire):
    error = error_from_wire(wire)

    assert type(error) is WarrenError
    assert error.detail == "x"


def test_a_wire_form_may_hold_any_key():
    error = error_from_wire({"type": "invalid", "detail": "x", "self": 1, "cls": 2})

    assert error.extra == {"self": 1, "cls": 2}
