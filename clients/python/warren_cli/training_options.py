"""Which members of `POST /train` `warren train --set` takes."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import click

from warren_cli.values import nested

MEMBERS = (
    *("calibrate", "cv", "dataset_version", "defaults", "max_memory", "max_seconds", "model_id"),
    *("params", "preprocessing", "refit", "sample_weight", "split", "tags", "target_transform"),
    *("test_size", "types"),
)
OPTIONS = {
    "dataset_id": "DATA",
    "target": "--target",
    "name": "--name",
    "features": "--features",
    "estimator": "--estimator",
}
"""What says the other members."""


def training_options(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return what is set, as members of `POST /train`. Raises `click.UsageError` for others."""
    made = nested(pairs)
    for name in made:
        if name in OPTIONS:
            raise click.UsageError(f"--set {name}: use {OPTIONS[name]}, which says it")
        if name not in MEMBERS:
            near = get_close_matches(name, MEMBERS, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(MEMBERS)}"
            raise click.UsageError(f"--set {name}: POST /train has no {name}; {hint}")
    return made
