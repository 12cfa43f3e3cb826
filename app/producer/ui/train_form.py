"""The form of a training: what it shows, and the request that it sends."""

import json
from typing import Any

from app import errors
from app.producer.schemas.requests import TrainBody
from app.producer.ui.forms import Form, first
from app.producer.ui.typed_number import typed_number
from app.protocol import strict_json

# The members of a request that have a field of their own. `more` is JSON with the others.
_TEXTS = ("dataset_id", "dataset_version", "target", "estimator")
_NUMBERS = ("test_size", "cv")
_OWN = {*_TEXTS, *_NUMBERS, "features", "params", "tags"}


def fields_of(asked: dict[str, Any]) -> Form:
    """Return what the fields hold for a request; those that it does not name are empty."""
    known = {name: value for name, value in asked.items() if name in TrainBody.model_fields}
    fields: Form = {name: [str(known[name])] for name in _TEXTS if known.get(name) is not None}
    more = {name: value for name, value in known.items() if name not in _OWN and value is not None}
    for name in _NUMBERS:
        if isinstance(known.get(name), int | float):
            fields[name] = [str(known[name])]
        elif known.get(name) is not None:
            more[name] = known[name]
    if isinstance(features := known.get("features"), list):
        fields["features"] = [str(each) for each in features]
    elif features is not None:
        more["features"] = features
    if known.get("params"):
        fields["params"] = [json.dumps(known["params"], ensure_ascii=False, indent=1)]
    if known.get("tags"):
        fields["tags"] = [" ".join(known["tags"])]
    if more:
        fields["more"] = [json.dumps(more, ensure_ascii=False, indent=1)]
    return fields


def request_of(form: Form) -> dict[str, Any]:
    """Return the request of a form, to be validated. Raises `errors.Invalid`."""
    asked = _object(form, "more")
    for name in _TEXTS:
        if (text := first(form, name)) is not None:
            asked[name] = text if name == "target" else text.strip()
    for name in _NUMBERS:
        if (text := first(form, name)) is not None:
            asked[name] = _number(name, text)
    if form.get("features"):
        asked["features"] = [each for each in form["features"] if each]
    if params := _object(form, "params"):
        asked["params"] = params
    if tags := first(form, "tags"):
        asked["tags"] = tags.replace(",", " ").split()
    return asked


def _number(name: str, text: str) -> int | float:
    try:
        value = typed_number(text)
    except ValueError:
        raise errors.Invalid(name, "must be a number, with a point for its decimals") from None
    return int(value) if value.is_integer() else value


def _object(form: Form, name: str) -> dict[str, Any]:
    """Return the JSON object of a field, empty if the field is. Raises `errors.Invalid`."""
    if (text := first(form, name)) is None:
        return {}
    try:
        found = strict_json.loads_request(text.encode(errors="replace"))
    except (errors.Malformed, errors.TooLarge) as error:
        raise errors.Invalid(name, error.detail) from None
    if not isinstance(found, dict):
        raise errors.Invalid(name, 'must be a JSON object, such as {"max_depth": 3}')
    return found
