import pytest

from app import errors
from app.errors import WarrenError
from app.protocol.wire_errors import error_from_wire, found_or_error
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


def look_and_raise(error: Exception) -> dict[str, object]:
    def look() -> dict[str, object]:
        raise error

    return found_or_error(
        look, lambda detail: errors.Invalid("body", detail), "too large", "unknown"
    )


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (errors.Invalid("body", "no row"), "no row"),
        (MemoryError(), "too large"),
        (ZeroDivisionError(), "unknown"),
    ],
)
def test_an_error_of_looking_at_a_file_is_told_in_its_place(error, detail):
    assert look_and_raise(error) == {"error": errors.Invalid("body", detail).to_wire()}


def test_what_is_found_in_a_file_is_returned():
    found = found_or_error(lambda: {"rows": 3}, errors.WarrenError, "too large", "unknown")

    assert found == {"rows": 3}
