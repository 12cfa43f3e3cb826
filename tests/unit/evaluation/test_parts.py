import warnings

import pytest

from app.evaluation.parts import Parts
from app.evaluation.phases import Phases


def failing(error):
    raise error


def test_a_part_that_is_computed_has_no_note():
    phases = Phases()
    parts = Parts(phases)

    assert parts.compute("importance", lambda: 7) == 7
    assert parts.notes == []
    assert phases.seconds.keys() == {"importance"}


@pytest.mark.parametrize(
    ("error", "says"),
    [(ValueError("no"), "the consumer's log has the reason"), (MemoryError(), "more memory")],
)
def test_a_part_that_fails_becomes_a_note(error, says):
    parts = Parts(Phases())

    assert parts.compute("importance", lambda: failing(error)) is None

    (note,) = parts.notes
    assert note.part == "importance"
    assert says in note.detail


def test_warnings_of_a_part_are_not_those_of_the_training():
    parts = Parts(Phases())

    assert parts.compute("scores", lambda: warnings.warn("odd", stacklevel=1)) is None
    assert parts.notes == []
