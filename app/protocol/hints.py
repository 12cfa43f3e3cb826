"""Hints beside errors of validation: the wrapper that was sent, the nearest known key."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from app.protocol.examples import SHORT_ROW
from app.protocol.orients import OF_SPLIT, inputs_of_split
from app.protocol.sent_value import sent_value
from app.protocol.wording import cut, did_you_mean, listed, nearest, quoted

# The keys in which other model servers and data frames send rows.
WRAPPERS = frozenset(
    ("columns", "data", "index", "dataframe_split", "dataframe_records", "instances", "inputs")
)
_INPUTS = ("input_data", "image_data")
_SHOWN = 5  # keys of a body that an error shows
_SOUGHT = 1000  # keys of a body among which a misspelt one is sought


def describe_body(kind: type[BaseModel], body: object) -> str | None:
    """Describe a body that is no `kind`, with an example of one; return None for a similar body."""
    example = getattr(kind, "EXAMPLE", None)
    if example is None:
        return None
    match body:
        case dict():
            if not body or not _is_foreign(kind, body):
                return None
            return f"you sent {shape(body)}; send an object like {example}"
        case list():
            sent = "a list"
        case str() if body.lstrip()[:1] in ("{", "["):
            sent = "a string that holds JSON, encoded twice"
        case str():
            sent = "a string"
        case None:  # FastAPI takes an empty body for null
            return f"is missing, or null; send an object like {example}"
        case bool():
            sent = "true" if body else "false"
        case _:
            sent = "a number"
    return f"must be an object, but you sent {sent}; send an object like {example}"


def shape(sent: Iterable[str]) -> str:
    """Return the keys of an object as `{a, b}`; of many the first ones."""
    keys = [cut(key, 40) for key in islice(sent, _SHOWN + 1)]
    return f"{{{', '.join(keys[:_SHOWN])}{', …' if len(keys) > _SHOWN else ''}}}"


def hint(
    error: ErrorDetails, location: tuple[int | str, ...], kind: type[BaseModel], body: object
) -> str:
    """Return the hint after the sentence of an error: the nearest key, or the known ones.

    `error` is pydantic's about a `body` that is no `kind`. The hint may be empty.
    """
    *parents, name = location or ("",)
    if error["type"] == "dict_type" and parents and parents[0] == "input_data":
        listed_row = isinstance(name, int)  # one row alone has to name its features
        other = ", or a list of values in the model's order" if listed_row else ""
        return f" that names each feature, such as {SHORT_ROW}{other}"
    if said := sent_value(error):
        return said
    model = _model_at(kind, parents)
    if model is None or not isinstance(name, str):
        return ""
    known = list(model.model_fields)
    if error["type"] == "extra_forbidden":
        if name in OF_SPLIT and isinstance(body, dict) and "input_data" in body and not parents:
            return "; send it inside of input_data, or in place of it"
        within = "; parameters of the estimator belong in params" if "params" in known else ""
        if home := home_of(model, name):
            return f"; {home} has it{within}"
        return did_you_mean(name, known) or f"; known are {listed(known)}{within}"
    sent = _at(body, parents)
    if error["type"] in ("missing", "value_error") and isinstance(sent, dict) and name not in sent:
        found = nearest(name, (key for key in islice(sent, _SOUGHT) if key not in known))
        return f"; you sent {quoted(found)}" if found is not None else ""
    return ""


def home_of(model: type[BaseModel], key: str) -> str | None:
    """Return the member of a model that is an object with this key, or None."""
    members = {name: _model_in(field.annotation) for name, field in model.model_fields.items()}
    return next((n for n, inner in members.items() if inner and key in inner.model_fields), None)


def _is_foreign(kind: type[BaseModel], body: dict[str, Any]) -> bool:
    """Tell whether an object has no key of `kind` nor one like it, or its inputs in a wrapper."""
    known = kind.model_fields
    if "input_data" in known and WRAPPERS & body.keys():
        return inputs_of_split(body) is body and not any(name in body for name in _INPUTS)
    return not any(name in body or nearest(name, islice(body, _SOUGHT)) for name in known)


def _at(body: object, location: Iterable[int | str]) -> object:
    """Return the part of a body at a location of pydantic's, or None."""
    for part in location:
        if isinstance(body, dict) and isinstance(part, str):
            body = body.get(part)
        elif isinstance(body, list) and isinstance(part, int) and part < len(body):
            body = body[part]
        else:
            return None
    return body


def _model_at(kind: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel] | None:
    """Return the model that validates the object at a location, or None."""
    keyed = False  # whether the next part is a key of an object whose values are models
    for part in location:
        if isinstance(part, int) or keyed:
            keyed = False
            continue
        field = kind.model_fields.get(part)
        found = _model_in(field.annotation) if field else None
        if field is None or found is None:
            return None
        keyed = any(
            get_origin(each) is dict for each in (field.annotation, *get_args(field.annotation))
        )
        kind = found
    return None if keyed else kind


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation names, perhaps inside a list or a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(each) for each in get_args(annotation))
    return next((each for each in found if each), None)
