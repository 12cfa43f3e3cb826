"""The body of `POST /train`, and the key by which it makes one job."""

import hashlib
from collections.abc import Mapping
from typing import Any

from warren_client.calls import as_json


def training_body(
    dataset_id: str,
    dataset_version: str | None,
    target: str | None,
    name: str | None,
    types: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the body of a training; `options` are other members of it, as the API has them.

    `types` are those that the table does not say itself: the options may say them otherwise, and
    only features may have them.
    """
    given = {"dataset_version": dataset_version, "target": target, "name": name, **options}
    untold = _of_features(types, target, options.get("features"))
    declared = {**untold, **(options.get("types") or {})}
    body = {"dataset_id": dataset_id, **given, "types": declared or None}
    return {member: value for member, value in body.items() if value is not None}


def content_key(body: Mapping[str, Any]) -> str:
    """Return the idempotency key of a training that names its data by their content."""
    return hashlib.sha256(as_json(body).encode()).hexdigest()


def _of_features(types: Mapping[str, str], target: str | None, features: object) -> dict[str, str]:
    """Return the types of features; a target may be a category of numbers as it is."""
    return {
        column: kind
        for column, kind in types.items()
        if (not isinstance(features, list | tuple) or column in (*features, target))
        and not (column == target and kind == "category")
    }
