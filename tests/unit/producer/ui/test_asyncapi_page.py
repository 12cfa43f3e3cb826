"""The page of the AsyncAPI document: for everybody, whole, and it loads nothing."""

import re

import httpx2
import pytest

from app.amqp.topology import PUBLIC_QUEUES
from app.producer.app import create_app
from app.producer.asyncapi.document import document
from app.producer.ui.schema_rows import kind_of, schema_rows
from app.settings import Settings
from tests.support.application import application
from tests.unit.producer.ui.test_pages import Client

PAGE = "/asyncapi"


@pytest.fixture(scope="module")
def answer() -> httpx2.Response:
    return Client(create_app(Settings(_env_file=None)))("GET", PAGE)


def test_the_page_loads_nothing(answer: httpx2.Response) -> None:
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert re.findall(r"<script|<link rel=\"stylesheet|https?://| src=| style=", answer.text) == []


def test_the_page_shows_each_queue_message_and_schema(answer: httpx2.Response) -> None:
    made = document()["components"]
    for queue in PUBLIC_QUEUES:
        assert f"<code>{queue}</code></h2>" in answer.text
    for name in made["schemas"]:
        assert f'<h3 id="{name}">' in answer.text
    for message in made["messages"].values():
        assert re.sub("`(.*?)`", r"<code>\1</code>", message["summary"]) in answer.text


def test_every_link_of_the_page_leads_to_a_place_on_it_or_to_a_page(
    answer: httpx2.Response,
) -> None:
    ids = set(re.findall(r' id="([^"]+)"', answer.text))
    links = set(re.findall(r' href="([^"]+)"', answer.text))
    assert {each for each in links if each[0] == "#" and each[1:] not in ids} == set()
    assert {"/asyncapi.json", "/docs"} <= links


def test_without_a_key_the_page_has_no_bar_and_with_a_prefix_its_links_have_it(
    sqlite_url: str,
) -> None:
    with application(sqlite_url, auth="on", root_path="/warren") as app:
        answer = Client(app)("GET", PAGE)

    assert answer.status_code == 200
    assert 'href="/warren/asyncapi.json"' in answer.text
    assert "/ui/jobs" not in answer.text
    assert "Log out" not in answer.text


def test_the_overview_leads_to_the_page(sqlite_url: str) -> None:
    with application(sqlite_url) as app:
        assert f'href="{PAGE}"' in Client(app)("GET", "/ui/jobs").text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 9}, "text (at most 9 characters)"),
        (
            {"type": "integer", "minimum": 0, "maximum": 10_000},
            "whole number (from 0, up to 10,000)",
        ),
        (
            {"type": "array", "items": {"type": "number"}, "maxItems": 3},
            "list of number (at most 3)",
        ),
        ({"type": "object", "additionalProperties": True}, "object"),
        (
            {"type": "object", "additionalProperties": {"type": "boolean"}},
            "object of true or false",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]}, "text or number"),
        (
            {"enum": ["a", "<b>"]},
            "one of <code>&#34;a&#34;</code>, <code>&#34;&lt;b&gt;&#34;</code>",
        ),
        ({"$ref": "#/components/schemas/Split"}, '<a href="#Split">Split</a>'),
        ({"const": "x"}, "<code>&#34;x&#34;</code>"),
        ({}, "any value"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, object], words: str) -> None:
    assert kind_of(schema) == words


def test_of_many_values_the_first_ones_are_told() -> None:
    told = kind_of({"enum": list(range(100))})
    assert told.startswith("one of <code>0</code>, <code>1</code>, ")
    assert told.endswith("<code>11</code> and 88 more")


def test_rows_tell_what_is_required_the_default_and_the_values_that_have_a_meaning() -> None:
    schema = {
        "properties": {
            "a": {"type": "string", "oneOf": [{"const": "x", "description": "An x."}]},
            "b": {"type": "integer", "default": 5, "description": "A number."},
        },
        "required": ["a"],
    }
    found = [
        (each.name, each.required, each.description, each.default) for each in schema_rows(schema)
    ]

    assert found == [
        ("a", True, "", None),
        ("", False, "An x.", None),
        ("b", False, "A number.", "5"),
    ]
