"""The request of a training, as JSON body of a message and as row of its job."""

import json
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    ValidationInfo,
    field_validator,
    model_validator,
)

from app import errors
from app.protocol import training_fields as fields
from app.protocol.estimators import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    CalibrationMethod,
    ResolvedEstimator,
    resolve_estimator,
    resolve_older_estimator,
)
from app.protocol.requests import RequestBody
from app.protocol.training_fields import ColumnType
from app.protocol.types import LATEST, Id
from app.protocol.wording import cut, did_you_mean, listed, quoted, repeated

MAX_TRAINING_BYTES = 4_000_000  # the broker's limit, less room for the relay's encoding
MAX_ROW_BYTES = 250_000  # of a new training; older versions accepted larger ones


class TrainingSpec(RequestBody):
    """A model to train on a data set, with limits on time in seconds and memory in bytes."""

    EXAMPLE = '{"dataset_id": "diabetes", "features": ["age", "bmi"], "target": "target"}'

    dataset_id: fields.DatasetId
    features: fields.Features
    target: fields.Target
    estimator: fields.Estimator = None
    params: fields.Params = None
    calibrate: fields.Calibrate = None
    test_size: fields.TestSize = 0.2
    types: fields.Types = None
    max_seconds: fields.MaxSeconds = None
    max_memory: fields.MaxMemory = None

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: list[str]) -> list[str]:
        if twice := repeated(features):
            forms = "" if all(map(str.isascii, twice)) else ", perhaps in two forms of Unicode"
            raise ValueError(f"given more than once: {listed(twice)}{forms}")
        return features

    @field_validator("target")
    @classmethod
    def _not_a_feature(cls, target: str, info: ValidationInfo) -> str:
        if target in info.data.get("features", ()):
            raise ValueError(f"{cut(target)} is also among the features")
        return target

    @field_validator("calibrate")
    @classmethod
    def _only_classifiers(
        cls, how: CalibrationMethod | None, info: ValidationInfo
    ) -> CalibrationMethod | None:
        if how is None or "estimator" not in info.data:
            return how
        chosen = info.data["estimator"] or DEFAULT_ESTIMATOR
        if ESTIMATORS[chosen].task == "regression":
            raise ValueError(f"only a classifier can be calibrated, and {chosen} predicts numbers")
        return how

    @field_validator("types")
    @classmethod
    def _of_the_columns(
        cls, types: dict[str, ColumnType] | None, info: ValidationInfo
    ) -> dict[str, ColumnType] | None:
        if types and {"features", "target"} <= info.data.keys():
            columns = dict.fromkeys([*info.data["features"], info.data["target"]])
            if other := [name for name in types if name not in columns]:
                meant = did_you_mean(other[0], columns)
                raise ValueError(f"{quoted(other[0])} is neither a feature nor the target{meant}")
        return types

    @property
    def resolved_estimator(self) -> ResolvedEstimator:
        """Return the estimator to fit."""
        return resolve_estimator(self.estimator, self.params, self.calibrate)


class TrainRequest(TrainingSpec):
    """The message of a training job: the HTTP body, and the id of the model.

    `defaults` says whose defaults the parameters have that are not named. Older versions had their
    own. They always wrote all of `_OLDER`, and never one of `_NEWER`.
    """

    _OLDER: ClassVar = {"estimator", "params", "test_size"}
    _NEWER: ClassVar = {"calibrate", "types", "defaults"}

    model_id: Id | None = None
    defaults: Literal["scikit-learn", "older"] = "scikit-learn"

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_version(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and sent.keys() >= cls._OLDER and not sent.keys() & cls._NEWER:
            return {**sent, "defaults": "older"}
        return sent

    @classmethod
    def of(cls, body: TrainingSpec, model_id: str) -> Self:
        """Return the message for the body of `POST /train`."""
        return cls(**body.model_dump(), defaults="scikit-learn", model_id=model_id)

    @property
    def resolved_estimator(self) -> ResolvedEstimator:
        """Return the estimator to fit."""
        if self.defaults == "older":
            return resolve_older_estimator(self.estimator, self.params)
        return super().resolved_estimator

    def encode(self) -> bytes:
        """Return the JSON body. Raises `errors.TooLarge` if the relay could not publish it."""
        body = super().encode()
        if len(body) > MAX_TRAINING_BYTES:
            raise errors.TooLarge(
                "body",
                f"a training may have {MAX_TRAINING_BYTES} bytes, but this one has {len(body)}",
            )
        return body

    def row(self) -> dict[str, Any]:
        """Return the request as the row of a new job keeps it.

        Members that are null are left out, because older consumers refuse some of them. Raises
        `errors.TooLarge` above `MAX_ROW_BYTES`, about the longest member.
        """
        row = self.model_dump(exclude_none=True)
        size = len(self.encode())
        if size > MAX_ROW_BYTES:
            longest = max(row, key=lambda name: len(json.dumps(row[name])))
            raise errors.TooLarge(
                longest,
                f"a training may have {MAX_ROW_BYTES:,} bytes of JSON in all; this one has "
                f"{size:,}, most of them here",
            )
        return row

    def asks_the_same(self, other: Self) -> bool:
        """Tell whether both ask for the same training, under whatever id.

        A request that is sent again after an upgrade asks for what it meant before.
        """
        if self.canonical() != other.canonical():
            return False
        same_estimator = self.resolved_estimator == other.resolved_estimator
        return same_estimator or self.defaults != other.defaults

    def canonical(self) -> str:
        """Return the JSON without the model's id; the order of its members never differs.

        It is what older versions return, which have no null for `estimator` and `params`.
        """
        asked = self.model_dump(exclude={"model_id", "defaults"}, exclude_none=True)
        return json.dumps({"estimator": DEFAULT_ESTIMATOR, "params": {}, **asked}, sort_keys=True)

    @field_validator("model_id")
    @classmethod
    def _not_reserved(cls, model_id: str | None) -> str | None:
        if model_id == LATEST:
            raise ValueError(f"{LATEST} always means the newest model")
        return model_id
