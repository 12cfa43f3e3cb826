"""docs/keys.md tells the scopes of every call, and which paths need none."""

import re
from pathlib import Path

from fastapi.routing import iter_route_contexts

from app.producer.app import create_app
from app.producer.routing.route_scopes import OPEN_PATHS, ScopedRoute, scopes_of
from app.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text()
CODE = re.compile(r"`([^`]+)`")


def test_the_table_has_the_scopes_of_every_call():
    told = {}
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            calls, scopes = line.strip("| ").split(" | ")
            told |= {call: set(CODE.findall(scopes)) for call in CODE.findall(calls)}
    declared = {
        f"{method} {each.original_route.path_format}": set(scopes_of(each.original_route.endpoint))
        for each in iter_route_contexts(create_app(Settings(_env_file=None)).routes)
        if isinstance(each.original_route, ScopedRoute) and each.original_route.include_in_schema
        for method in each.methods
    }
    assert told == {call: scopes for call, scopes in declared.items() if scopes}


def test_the_paths_without_a_key_are_told():
    (sentence,) = re.findall(r"These need no key: (.*?)\.\n", PAGE, re.DOTALL)
    told = set(CODE.findall(sentence))
    assert told == {path or "/" for path in OPEN_PATHS}
