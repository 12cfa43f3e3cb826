"""A JSON Schema as rows of a table: what each member of an object may be, in words."""

import json
from typing import Any, NamedTuple

from markupsafe import Markup

_MOST = 12  # values of an enumeration that are listed
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
    "null": "null",
}
_BOUNDS = (
    ("minimum", "from {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "up to {}"),
    ("exclusiveMaximum", "below {}"),
    ("maxLength", "at most {} characters"),
    ("maxItems", "at most {}"),
)


class SchemaRow(NamedTuple):
    """A member of an object, or a value of an enumeration that has a description."""

    name: str
    kind: Markup
    required: bool
    description: str
    default: str | None


def schema_rows(schema: dict[str, Any]) -> list[SchemaRow]:
    """Return the members of an object, each followed by its values if these have descriptions."""
    required = schema.get("required", ())
    rows = []
    for name, each in schema.get("properties", {}).items():
        told, default = each.get("description", ""), each.get("default")
        text = None if default is None else json.dumps(default)
        rows.append(SchemaRow(name, kind_of(each), name in required, told, text))
        for value in each.get("oneOf", ()):
            if "const" in value:
                row = (_values([value["const"]]), False, value.get("description", ""), None)
                rows.append(SchemaRow("", *row))
    return rows


def kind_of(schema: dict[str, Any]) -> Markup:
    """Return in words which values a schema allows; references are links within the page."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return Markup('<a href="#{0}">{0}</a>').format(name)
    if "const" in schema:
        return _values([schema["const"]])
    if values := schema.get("enum"):
        return Markup("one of {}").format(_values(values))
    choices = schema.get("anyOf") or schema.get("oneOf") or ()
    if choices and "type" not in schema:
        kinds = [kind_of(each) for each in choices if each.get("type") != "null"]
        return Markup(" or ").join(dict.fromkeys(kinds))
    return _of_type(schema)


def _of_type(schema: dict[str, Any]) -> Markup:
    kind = Markup.escape(_WORDS.get(schema.get("type", ""), "any value"))
    inside = schema.get("items") or schema.get("additionalProperties")
    if isinstance(inside, dict):
        kind += Markup(" of {}").format(kind_of(inside))
    bounds = [text.format(f"{schema[name]:,}") for name, text in _BOUNDS if name in schema]
    return kind + (f" ({', '.join(bounds)})" if bounds else "")


def _values(values: list[Any]) -> Markup:
    shown = [Markup("<code>{}</code>").format(json.dumps(each)) for each in values[:_MOST]]
    more = len(values) - len(shown)
    return Markup(", ").join(shown) + (f" and {more} more" if more else "")
