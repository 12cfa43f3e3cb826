"""What a client sends in time, and too late."""

import socket
from contextlib import closing
from io import BufferedReader

import pytest

from app.consumer.request_reader import RequestReader


def test_what_comes_in_time_is_read_to_its_end():
    ours, theirs = socket.socketpair()
    with closing(ours), BufferedReader(RequestReader(ours, 60)) as reader:
        theirs.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        theirs.close()

        assert [*reader] == [b"GET / HTTP/1.1\r\n", b"Host: a\r\n"]
        assert ours.gettimeout() == 60


def test_a_client_that_sends_byte_by_byte_has_no_more_time():
    ours, theirs = socket.socketpair()
    times = iter((0.0, 2.0, 4.0, 6.0))  # the first one is that of the begin
    with closing(ours), closing(theirs):
        reader = RequestReader(ours, 5, lambda: next(times))
        for _ in range(2):
            theirs.sendall(b"G")
            assert reader.read(1) == b"G"
        theirs.sendall(b"G")

        with pytest.raises(TimeoutError):
            reader.read(1)


def test_a_client_that_sends_nothing_is_waited_for_as_long():
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs), pytest.raises(TimeoutError):
        RequestReader(ours, 0.01).read(1)
