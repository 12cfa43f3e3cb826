"""Which ports the servers of a stack get."""

import os
import socket

import pytest

from devstack import ports
from devstack.program import ProgramError


def choose(wanted, demanded=(), taken=()):
    return ports.choose(
        wanted, dict(demanded), lambda port: port not in taken, lambda _: "somebody"
    )


def test_each_server_gets_the_port_it_wants():
    assert choose({"A": 5000, "B": 6000}) == {"A": 5000, "B": 6000}


def test_a_taken_port_is_left_for_the_next_free_one():
    assert choose({"A": 5000, "B": 5002}, taken={5000, 5001}) == {"A": 5003, "B": 5002}


def test_no_port_is_given_twice():
    assert choose({"A": 5000, "B": 5000}) == {"A": 5000, "B": 5001}


def test_a_demanded_port_goes_before_a_wanted_one():
    assert choose({"A": 5000, "B": 5000}, {"B": 5000}) == {"A": 5001, "B": 5000}


def test_a_demanded_port_that_is_taken_is_an_error_that_says_by_whom():
    with pytest.raises(ProgramError, match=r"^A=5000: this port is taken by somebody$"):
        choose({"A": 1}, {"A": 5000}, taken={5000})


def test_one_port_cannot_be_demanded_twice():
    with pytest.raises(ProgramError, match=r"^B=5000: A is the same port$"):
        choose({}, {"A": 5000, "B": 5000})


def test_ports_come_to_an_end():
    with pytest.raises(ProgramError, match="no free port from 65535 upwards"):
        choose({"A": 65535}, taken={65535})


@pytest.mark.parametrize("value", ["", "x", "0", "-1", "65536", "1.5", "٣"])
def test_not_every_text_is_a_port(value):
    with pytest.raises(ProgramError, match=r"^PORT="):
        ports.parse("PORT", value)


def test_a_port_is_a_number():
    assert ports.parse("PORT", "65535") == 65535


def test_the_owner_of_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert f"process {os.getpid()}" in ports.owner(port)


def test_a_host_that_is_not_this_machine_is_refused():
    ports.check_host("127.0.0.1")
    ports.check_host("0.0.0.0")
    with pytest.raises(ProgramError, match=r"^HOST=192\.0\.2\.1: "):
        ports.check_host("192.0.2.1")
