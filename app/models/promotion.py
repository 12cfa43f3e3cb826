"""The promotion check: whether a challenger is worse on the rows that tested the champion.

Only a challenger that was tested on the same rows is compared, and its training has kept the
numbers. One with another split may have learnt from the champion's test rows, and would win by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database.engine import Engine, connect
from app.database.tables import models_table
from app.models.manifest import TrainedManifest
from app.protocol.training_request import TrainRequest
from app.protocol.types import ModelKind
from app.protocol.wording import listed

LARGER_IS_BETTER = frozenset(("r2", "accuracy", "f1"))
SMALLER_IS_BETTER = frozenset(("rmse", "mae", "log_loss"))
METRICS = sorted(LARGER_IS_BETTER | SMALLER_IS_BETTER)


@dataclass(frozen=True)
class TrainedVersion:
    """A trained version: its number, what was asked for, and its manifest."""

    version: int
    request: TrainRequest
    manifest: TrainedManifest

    @property
    def scores(self) -> dict[str, float]:
        """Return the metrics on the test rows; those of folds are not among them."""
        manifest = self.manifest
        if manifest.cross_validation is not None:
            return manifest.test_metrics or {}
        return manifest.metrics


def read_training(engine: Engine, model_id: str) -> TrainRequest | None:
    """Return the training of a model, or None for a model that was not trained here."""
    column = models_table.c
    query = sa.select(column.spec, column.kind).where(column.model_id == model_id)
    with connect(engine) as connection:
        row = connection.execute(query).first()
    if row is None or row.kind != ModelKind.TRAINED or not row.spec:
        return None
    return TrainRequest.model_validate(row.spec)


def compare(metric: str, champion: TrainedVersion, challenger: TrainedVersion) -> dict[str, Any]:
    """Return the comparison: both numbers, the rows, and whether the challenger is `worse`.

    If their test rows are not the same, or one lacks the metric, `reason` says so in their place.
    """
    versions = {"champion": champion.version, "challenger": challenger.version}
    head = {"metric": metric, "versions": versions}
    if differing := _differing(champion, challenger):
        reason = (
            f"version {challenger.version} was not tested on the rows that tested version "
            f"{champion.version}: they differ in {listed(differing)}"
        )
        return {**head, "reason": reason}
    numbers = {
        name: each.scores.get(metric)
        for name, each in {"champion": champion, "challenger": challenger}.items()
    }
    best, new = numbers["champion"], numbers["challenger"]
    if best is None or new is None:
        lacking = champion if best is None else challenger
        known = listed(sorted(lacking.scores)) or "none"
        reason = f"version {lacking.version} has no {metric} on test rows; it has {known}"
        return {**head, "reason": reason}
    worse = new < best if metric in LARGER_IS_BETTER else new > best
    rows = {
        "test_rows": champion.manifest.rows.get("test"),
        "dataset_id": champion.manifest.dataset_id,
        "dataset_version": champion.manifest.dataset_version,
    }
    return {**head, **numbers, **rows, "worse": worse}


def _differing(champion: TrainedVersion, challenger: TrainedVersion) -> Sequence[str]:
    """Return in what two trainings differ that decides which rows test the model."""
    old, new = champion.request, challenger.request
    pairs = {
        "the data set": (champion.manifest.dataset_id, challenger.manifest.dataset_id),
        "its version": (champion.manifest.dataset_version, challenger.manifest.dataset_version),
        "target": (old.target, new.target),
        "the task": (champion.manifest.task, challenger.manifest.task),
        "split": (old.resolved_split, new.resolved_split),
        "types": (_types(old), _types(new)),
        "the number of test rows": (
            champion.manifest.rows.get("test"),
            challenger.manifest.rows.get("test"),
        ),
    }
    found = [name for name, (one, other) in pairs.items() if one != other]
    if champion.manifest.dataset_version is None and not found:
        found = ["its version, which is not known"]
    if old.resolved_split.random_state is None and old.resolved_split.time is None and not found:
        found = ["split, whose random_state is null"]
    return found


def _types(request: TrainRequest) -> dict[str, Any]:
    """Return the declared types of the columns that decide about the split."""
    deciding = set(request.reserved.values())
    return {name: each for name, each in (request.types or {}).items() if name in deciding}
