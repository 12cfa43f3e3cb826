"""Name the value that was sent, behind the sentence of an error that says what is allowed."""

from pydantic_core import ErrorDetails

from app.protocol.types import EXPLAINED, EXPLAINED_OF_SECRET
from app.protocol.wording import cut, describe_value

# Of pydantic's error types, those about a value that has the wrong type, or is out of a range.
_SHOWN = {
    *("literal_error", "enum", "multiple_of", "finite_number"),
    *("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"),
    *("bool_type", "bool_parsing", "string_type", "list_type"),
    *("greater_than", "greater_than_equal", "less_than", "less_than_equal"),
}
_OBJECTS = {"dict_type", "model_type", "model_attributes_type"}


def sent_value(error: ErrorDetails) -> str:
    """Return `; you sent 5` for what was sent, or nothing if the sentence needs no value.

    A string in the place of a secret's name is left out, because it may be the secret.
    """
    sent = error["input"]
    if not isinstance(sent, str | int | float | list | dict | None):  # such as an uploaded file
        return ""
    if error["type"] in _OBJECTS and isinstance(sent, str):
        return "; you sent a string"
    if error["type"] == EXPLAINED_OF_SECRET and isinstance(sent, str):
        return ""
    if error["type"] in _SHOWN | _OBJECTS | {EXPLAINED, EXPLAINED_OF_SECRET}:
        if isinstance(sent, int | float) and not isinstance(sent, bool):
            return f"; you sent the number {cut(str(sent), 40)}"
        return f"; you sent {describe_value(sent)}"
    return ""
