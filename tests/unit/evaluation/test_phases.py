import pytest

from app.evaluation.phases import Phases


def test_the_times_of_a_phase_add_up_in_the_order_of_their_beginning():
    times = iter([0.0, 1.0, 5.0, 7.0, 10.0, 14.0])
    phases = Phases(lambda: next(times))

    for name in ("read", "fit", "read"):
        with phases.measure(name):
            pass

    assert list(phases.seconds.items()) == [("read", 5.0), ("fit", 2.0)]


def test_a_phase_that_fails_is_measured_too():
    times = iter([0.0, 3.0])
    phases = Phases(lambda: next(times))

    with pytest.raises(ValueError, match="no"), phases.measure("fit"):
        raise ValueError("no")

    assert phases.seconds == {"fit": 3.0}
