"""Each error of pydantic that our schemas can produce has a sentence of ours."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from app.protocol.sentences import explain
from app.protocol.types import Id, JobStatus
from tests.unit.protocol.test_validation import BODIES

# The beginnings of pydantic's error types, by the type of the part of a schema.
ERRORS = {
    "any": [],
    "bool": ["bool_"],
    "custom-error": [],
    "definition-ref": [],
    "definitions": [],
    "default": [],
    "dict": ["dict_type", "invalid_key", "too_", "recursion_"],
    "enum": ["enum"],
    "float": ["float_", "finite_number", "greater_than", "less_than", "multiple_of"],
    "function-after": ["value_error"],
    "function-before": ["value_error"],
    "json-or-python": [],
    "no-info": [],
    "with-info": [],
    "int": ["int_", "finite_number", "greater_than", "less_than", "multiple_of"],
    "list": ["list_", "too_", "recursion_"],
    "literal": ["literal_error"],
    "model": ["model_"],
    "model-field": ["missing"],
    "model-fields": ["model_", "extra_forbidden", "recursion_"],
    "none": ["none_required"],
    "nullable": ["none_required"],
    "str": ["string_"],
    "tagged-union": [],
    "union": [],
}
NOT_JSON = ("missing_", "string_not_ascii")  # of functions' arguments; of a constraint not used
CONTEXT = {
    "min_length": 2,
    "max_length": 3,
    "gt": 0,
    "ge": 0,
    "lt": 1,
    "le": 1,
    "multiple_of": 2,
    "expected": "'a' or 'b'",
    "pattern": "^a$",
    "class_name": "X",
    "error": "NoneType",
    "field_type": "List",
    "actual_length": 1,
}


def nodes(schema: Any) -> Iterator[str]:
    """Yield the types of all parts of a core schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema["type"]
        for name, value in schema.items():
            if name not in ("metadata", "serialization", "expected"):
                yield from nodes(value)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from nodes(each)


def producible() -> set[str]:
    kinds: list[type[BaseModel]] = list(dict.fromkeys(kind for kind, _ in BODIES))
    schemas = [kind.__pydantic_core_schema__ for kind in kinds]
    schemas += [TypeAdapter(each).core_schema for each in (Id, JobStatus, int | None)]
    found = {each for schema in schemas for each in nodes(schema)}
    assert {"str", "list", "model-fields", "tagged-union"} <= found
    beginnings = tuple(each for node in found for each in ERRORS[node])
    types = {each for each in get_args(ErrorType) if each.startswith(beginnings)}
    return {each for each in types if not each.startswith(NOT_JSON)}


def described(kind: str) -> str:
    error: ErrorDetails = {"type": kind, "loc": (), "msg": "Value error, Said", "input": None}
    return explain({**error, "ctx": CONTEXT})


@pytest.mark.parametrize("kind", sorted(producible() - {"value_error"}))
def test_an_error_that_a_schema_can_produce_has_a_sentence(kind: str) -> None:
    said = described(kind)

    assert said != "is not valid"
    assert "Said" not in said
    assert "{" not in said
    assert not set(said.split()) & {"NoneType", "^a$", "X", "List", "Said"}


@pytest.mark.parametrize("kind", sorted(set(get_args(ErrorType)) - {"value_error"}))
def test_an_error_of_any_type_says_nothing_of_pydantic_s(kind: str) -> None:
    assert "Said" not in described(kind)


def unexplained(schema: Any, explained: bool = False) -> Iterator[str]:
    """Yield the patterns of a core schema that have no rule in words."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str) and not explained:
            yield schema["pattern"]
        inside = explained or schema.get("type") == "custom-error"
        for value in schema.values():
            yield from unexplained(value, inside)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from unexplained(each, explained)


@pytest.mark.parametrize("kind", list(dict.fromkeys(kind for kind, _ in BODIES)))
def test_every_pattern_has_its_rule_in_words(kind: type[BaseModel]) -> None:
    assert not list(unexplained(kind.__pydantic_core_schema__))
