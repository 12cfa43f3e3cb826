"""A data set is deleted by a page, if it still is what the page has shown."""

import re
from collections.abc import Iterator

import pytest

from tests.support.application import application
from tests.support.browser import OWN, Client, said


@pytest.fixture
def browser(settings) -> Iterator[Client]:
    s3 = ("aws_endpoint_url", "aws_access_key_id", "aws_secret_access_key", "s3_bucket_name")
    known = {name: getattr(settings, name) for name in s3}
    with application(settings.database_address, **known) as made:
        yield Client(made)


def put(browser: Client, content: str) -> None:
    answer = browser("PUT", "/datasets/houses", {"Content-Type": "text/csv"}, content=content)
    assert answer.is_success, answer.text


def test_a_data_set_that_was_replaced_meanwhile_stays(browser: Client) -> None:
    put(browser, "a,b\n1,2\n")
    asked = browser("GET", "/ui/datasets/houses/delete").text
    put(browser, "a,b\n3,4\n")

    for page in (asked, None):
        seen = re.findall(r'name="seen" value="(\w+)"', page) if page else []
        stale = browser("POST", "/ui/datasets/houses/delete", OWN, data={"seen": seen})
        assert stale.status_code == 409
        assert "somebody has replaced the data set since this page was loaded" in said(stale)
    assert browser("GET", "/datasets/houses/file").text == "a,b\n3,4\n"

    (seen,) = re.findall(r'name="seen" value="(\w+)"', stale.text)
    for _ in range(2):  # a second click is no error
        answer = browser("POST", "/ui/datasets/houses/delete", OWN, data={"seen": seen})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/datasets")
    gone = browser("GET", "/ui/datasets/houses/delete")
    assert (gone.status_code, "there is no data set houses" in said(gone)) == (404, True)
