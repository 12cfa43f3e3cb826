"""The client makes its own errors of those that the server has."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from app.producer.answers.problems import _STATUS
from tests.support.error_tree import tree
from warren_client import errors
from warren_client.problems import error_of_answer, error_of_job, retry_after

# Those that no client provokes, or a client only by its address, are what their status says.
BY_STATUS = {
    "internal": "error",
    "fenced": "error",
    "misdirected": "error",
    "interrupted": "unavailable",
    "foreign_origin": "forbidden",
}


def answered(status: int, content: object, **headers: str) -> errors.WarrenError:
    kind = {"Content-Type": "application/problem+json", **headers}
    return error_of_answer(httpx2.Response(status, json=content, headers=kind))


@pytest.mark.parametrize("server", tree(), ids=lambda each: each.__name__)
def test_every_error_of_the_server_is_one_of_the_client(server):
    kinds = [each.type for each in server.__mro__ if "type" in vars(each)]
    status = next(_STATUS[each] for each in server.__mro__ if each in _STATUS)
    problem = {"type": server.type, "title": "t", "status": status, "detail": "d", "field": "f"}

    error = answered(status, problem)

    assert type(error).type == BY_STATUS.get(server.type) or type(error).type in kinds
    assert (str(error), error.detail, error.field, error.status) == ("d", "d", "f", status)
    assert error.problem == problem


def test_an_error_of_a_job_is_typed_too():
    found = error_of_job({"type": "out_of_memory", "detail": "too much"})

    assert isinstance(found, errors.FitOutOfMemory)
    assert (str(found), found.status) == ("too much", None)
    assert str(error_of_job(None)) == "no reason given"


def test_an_answer_without_a_problem_document_has_its_status_and_its_text():
    error = error_of_answer(httpx2.Response(502, text="<h1>Bad gateway</h1>"))

    assert isinstance(error, errors.Unavailable)
    assert str(error) == "502 Bad Gateway: <h1>Bad gateway</h1>"
    assert error.problem is None


def test_retry_after_is_a_number_or_a_date():
    later = datetime.now(UTC) + timedelta(hours=1)

    assert retry_after("7") == 7
    assert 3500 < (retry_after(format_datetime(later, usegmt=True)) or 0) <= 3600
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    assert retry_after("soon") is None
    assert retry_after("\u00b2") is None  # a digit, but no number
    assert retry_after(None) is None
