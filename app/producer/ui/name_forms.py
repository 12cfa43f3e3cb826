"""The forms that change a name: what they send, as the bodies of the JSON routes."""

import re
from collections.abc import Mapping

from app import errors
from app.producer.schemas.names import AliasBody, ReasonBody, SplitBody
from app.producer.schemas.shadow import ShadowBody
from app.producer.ui.typed_number import typed_number
from app.protocol.references import AliasName
from app.protocol.validation import validate

Fields = Mapping[str, str]  # those that are empty may be left out


class PromotionForm(AliasBody):
    """An alias, the version that it gets, and the newest change that the page has shown."""

    alias: AliasName
    seen: int = 0


class RollbackForm(ReasonBody):
    """An alias that goes back, and the newest change that the page has shown."""

    alias: AliasName
    seen: int = 0


def promotion_of(fields: Fields) -> PromotionForm:
    """Return what the form of a promotion asks for. Raises `errors.Invalid`."""
    asked = {name: fields[name] for name in ("alias", "why", "metric") if fields.get(name)}
    numbers = {name: _whole(fields, name) for name in ("version", "seen") if fields.get(name)}
    return validate(PromotionForm, {**asked, **numbers, "force": fields.get("force") == "true"})


def rollback_of(fields: Fields) -> RollbackForm:
    """Return what the form of a rollback asks for. Raises `errors.Invalid`."""
    asked = {name: fields[name] for name in ("alias", "why") if fields.get(name)}
    seen = {"seen": _whole(fields, "seen")} if fields.get("seen") else {}
    return validate(RollbackForm, {**asked, **seen})


def split_of(fields: Fields) -> SplitBody:
    """Return the split of a form, such as `1=9, 2=1`. Raises `errors.Invalid`."""
    weights: dict[str, float] = {}
    text = re.sub(r"\s*=\s*", "=", fields.get("weights", "").replace(",", " "))
    for each in text.split():
        number, _, weight = each.partition("=")
        if number in weights:
            raise errors.Invalid("weights", f"version {number} is there twice")
        try:
            weights[number] = typed_number(weight)
        except ValueError:
            raise errors.Invalid(
                "weights", "write the weight of each version, such as 1=9, 2=1"
            ) from None
    return validate(SplitBody, {"weights": weights})


def shadow_of(fields: Fields) -> ShadowBody:
    """Return the shadow of a form. Raises `errors.Invalid`."""
    asked: dict[str, object] = {"alias": fields["alias"]} if fields.get("alias") else {}
    if fields.get("version"):
        asked["version"] = _whole(fields, "version")
    if text := fields.get("share"):
        try:
            asked["share"] = typed_number(text)
        except ValueError:
            raise errors.Invalid("share", "must be a number from 0 to 1, such as 0.1") from None
    return validate(ShadowBody, asked)


def _whole(fields: Fields, name: str) -> int:
    text = fields[name]
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise errors.Invalid(name, "must be a whole number")
    return int(text)
