import pytest

from app import errors
from app.producer.admission import AdmissionControl


def test_as_many_are_admitted_as_may_be_in_flight():
    in_flight = AdmissionControl(requests=2, size=100)

    with in_flight.admit():
        with in_flight.admit(), pytest.raises(errors.Overloaded), in_flight.admit():
            pytest.fail("admitted")
        with in_flight.admit():
            pass


def test_as_many_bytes_are_taken_as_may_be_in_flight():
    in_flight = AdmissionControl(requests=10, size=100)

    with in_flight.admit() as take:
        take(30)
        take(30)
        with in_flight.admit() as take_more:
            take_more(40)
            with pytest.raises(errors.Overloaded):
                take(1)
            take(0)
        take(40)


def test_what_ends_with_an_error_is_not_in_flight_any_more():
    in_flight = AdmissionControl(requests=1, size=100)

    for _ in range(3):
        with pytest.raises(KeyError), in_flight.admit() as take:
            raise KeyError(take(100))


def test_bodies_that_arrive_leave_a_quarter_to_those_that_are_complete():
    memory = AdmissionControl(requests=1, size=100)

    memory.take_arriving(75)
    assert not memory.fits(1)
    with pytest.raises(errors.Overloaded):
        memory.take_arriving(1)
    memory.take(25)
    with pytest.raises(errors.Overloaded):
        memory.take(1)
    memory.complete(75)
    memory.give_back(75)
    assert memory.fits(75)
    assert not memory.fits(76)


def test_more_than_half_of_the_requests_is_half_full():
    in_flight = AdmissionControl(requests=4, size=100)

    with in_flight.admit(), in_flight.admit():
        assert not in_flight.is_half_full
        with in_flight.admit():
            assert in_flight.is_half_full
    assert not in_flight.is_half_full
