"""The form made from a model's inputs, and the row that it sends."""

from typing import Any

from app import errors
from app.producer.schemas.models import Metadata, TakenFeature
from app.producer.ui.forms import Form, first
from app.producer.ui.typed_number import typed_number
from app.protocol import strict_json

MOST_FIELDS = 300
_BOOLEANS = {"true": True, "false": False}
JSON_FIELD = "json"


def has_fields(found: Metadata) -> bool:
    """Tell whether there is a field for each input; otherwise the form has one field for JSON."""
    inputs = found.inputs or []
    are_rows = all(isinstance(each, TakenFeature) and each.type != "any" for each in inputs)
    return 0 < len(inputs) <= MOST_FIELDS and are_rows


def sample_values(found: Metadata) -> dict[str, str]:
    """Return what the fields hold at first: the model's sample."""
    if not has_fields(found):
        return {JSON_FIELD: strict_json.encode(found.sample or {"input_data": {}})}
    row = (found.sample or {}).get("input_data") or {}
    return {
        field_name(place): _shown(row.get(each.name))
        for place, each in enumerate(found.inputs or ())
    }


def field_name(place: int) -> str:
    """Return the name of a field, which says nothing of the column's name."""
    return f"f{place}"


def inputs_of(found: Metadata, form: Form) -> dict[str, Any]:
    """Return the inputs of a prediction: `input_data` or `image_data`. Raises `errors.Invalid`."""
    if not has_fields(found):
        try:
            sent = strict_json.loads_request((first(form, JSON_FIELD) or "").encode())
        except (errors.Malformed, errors.TooLarge) as error:
            raise errors.Invalid(JSON_FIELD, error.detail) from None
        if not isinstance(sent, dict):
            raise errors.Invalid(JSON_FIELD, "must be an object with input_data or image_data")
        return {k: v for k, v in sent.items() if k in ("input_data", "image_data", "extra")}
    row = {}
    for place, each in enumerate(found.inputs or ()):
        assert isinstance(each, TakenFeature)
        row[each.name] = _value(each, first(form, field_name(place)))
    return {"input_data": row}


def _value(feature: TakenFeature, text: str | None) -> Any:
    """Return what was written for a feature; an empty field is null, or an empty text."""
    is_text = feature.type in ("text", "category")
    if text is None:
        return "" if is_text and not feature.nullable else None
    if feature.type == "number":
        try:
            value = typed_number(text)
        except ValueError:
            raise errors.Invalid(
                feature.name, "must be a number, with a point for its decimals"
            ) from None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if feature.type == "boolean":
        if text not in _BOOLEANS:
            raise errors.Invalid(feature.name, "must be true or false")
        return _BOOLEANS[text]
    return text if is_text else text.strip()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # as `_value` reads it
    return value if isinstance(value, str) else strict_json.encode(value)
