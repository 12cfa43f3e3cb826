"""The request of a training, as JSON body of a message and as row of its job."""

import json
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from app import errors
from app.protocol import training_fields as fields
from app.protocol.estimator_choice import (
    ResolvedEstimator,
    resolve_estimator,
    resolve_older_estimator,
)
from app.protocol.estimators import DEFAULT_ESTIMATOR
from app.protocol.preprocessing import ResolvedPreprocessing, resolve_preprocessing
from app.protocol.references import NameField
from app.protocol.requests import RequestBody
from app.protocol.training_checks import check_options
from app.protocol.training_fields import Features
from app.protocol.training_options import DEFAULT_TEST_SIZE, Split
from app.protocol.types import LATEST, SEPARATOR, QualifiedId
from app.protocol.wording import cut, listed, repeated

MAX_TRAINING_BYTES = 4_000_000  # the broker's limit, less room for the relay's encoding
UNKNOWN_KEYS = "unknown_keys"
_MOST_UNKNOWN = 20
MAX_ROW_BYTES = 250_000  # of a new training; older versions accepted larger ones


class TrainingSpec(RequestBody):
    """A model to train on a data set, with limits on time in seconds and memory in bytes."""

    EXAMPLE = '{"dataset_id": "diabetes", "features": ["age", "bmi"], "target": "target"}'

    dataset_id: fields.DatasetId
    dataset_version: fields.DatasetVersion = None
    features: fields.FeaturesField = None
    target: fields.Target = None
    estimator: fields.Estimator = None
    params: fields.Params = None
    calibrate: fields.Calibrate = None
    test_size: fields.TestSize = None
    split: fields.SplitField = None
    cv: fields.Folds = None
    refit: fields.Refit = None
    sample_weight: fields.SampleWeight = None
    preprocessing: fields.PreprocessingField = None
    target_transform: fields.Transform = None
    types: fields.Types = None
    name: NameField = None
    tags: fields.Tags = None
    max_seconds: fields.MaxSeconds = None
    max_memory: fields.MaxMemory = None

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: Features | None) -> Features | None:
        if isinstance(features, list) and (twice := repeated(features)):
            forms = "" if all(map(str.isascii, twice)) else ", perhaps in two forms of Unicode"
            raise ValueError(f"given more than once: {listed(twice)}{forms}")
        return features

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_options(self)
        return self

    @property
    def resolved_estimator(self) -> ResolvedEstimator:
        """Return the estimator to fit."""
        return resolve_estimator(self.estimator, self.params, self.calibrate)

    @property
    def resolved_preprocessing(self) -> ResolvedPreprocessing:
        """Return what is done to the columns and to the target."""
        return resolve_preprocessing(
            self.preprocessing,
            self.resolved_estimator.spec,
            target_transform=self.target_transform,
        )

    @property
    def resolved_split(self) -> Split:
        """Return the split with its `test_size`.

        If none is given, it is 0 with `cv`, and without a target.
        """
        split = self.split or Split()
        given = split.test_size if self.test_size is None else self.test_size
        if given is None:
            given = 0 if self.cv or self.target is None else DEFAULT_TEST_SIZE
        return split.model_copy(update={"test_size": given})

    @property
    def refits(self) -> bool:
        """Whether the published model learns from all rows."""
        return self.cv is not None if self.refit is None else self.refit

    @property
    def reserved(self) -> dict[str, str]:
        """Return the columns of the target, weights, group and time, by the field that names each.

        Only the group and the time may be features, too, if `features` lists them.
        """
        split = self.split or Split()
        named = {
            "target": self.target,
            "sample_weight": self.sample_weight,
            "split.group": split.group,
            "split.time": split.time,
        }
        return {field: column for field, column in named.items() if column is not None}


class TrainRequest(TrainingSpec):
    """The message of a training job: the HTTP body, and the id of the model."""

    # Versions of `defaults: older` always wrote all of these, and none of those.
    _OLDER: ClassVar = {"estimator", "params", "test_size"}
    _NEWER: ClassVar = {
        *("calibrate", "types", "defaults", "dataset_version", "split", "cv", "refit"),
        *("sample_weight", "preprocessing", "target_transform", "tags", "name"),
    }

    model_id: QualifiedId | None = Field(
        None,
        description="The id of the job and of its model; without it Warren chooses one.",
        examples=["houses-7"],
    )
    defaults: Literal["by-estimator", "scikit-learn", "older"] = Field(
        "by-estimator",
        description="Whose defaults the options have that are not named: with `by-estimator`, the "
        "preprocessing follows the estimator; with `scikit-learn`, which the version before "
        "wrote, it is the same for each estimator; `older` versions had parameters of their own, "
        "too.",
    )
    # Those of the message, cut, of very many the first ones. Only a row has them.
    unknown_keys: SkipJsonSchema[list[str] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _note_unknown_keys(cls, sent: Any) -> Any:
        if not isinstance(sent, dict) or UNKNOWN_KEYS in sent:
            return sent
        unknown = [cut(key) for key in sent if key not in cls.model_fields]
        return {**sent, UNKNOWN_KEYS: unknown[:_MOST_UNKNOWN]} if unknown else sent

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_version(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and sent.keys() >= cls._OLDER and not sent.keys() & cls._NEWER:
            return {**sent, "defaults": "older"}
        return sent

    @classmethod
    def of(cls, body: TrainingSpec, model_id: str) -> Self:
        """Return the message for the body of `POST /train`."""
        return cls(**body.model_dump(), defaults="by-estimator", model_id=model_id)

    @property
    def resolved_estimator(self) -> ResolvedEstimator:
        """Return the estimator to fit."""
        if self.defaults == "older":
            return resolve_older_estimator(self.estimator, self.params)
        return super().resolved_estimator

    @property
    def resolved_preprocessing(self) -> ResolvedPreprocessing:
        """Return what is done to the columns and to the target."""
        return resolve_preprocessing(
            self.preprocessing, self.resolved_estimator.spec, self.defaults, self.target_transform
        )

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
        asked = self.model_dump(exclude={"model_id", "defaults", UNKNOWN_KEYS}, exclude_none=True)
        older: dict[str, Any] = {"estimator": DEFAULT_ESTIMATOR, "params": {}}
        if self.cv is None:
            older["test_size"] = DEFAULT_TEST_SIZE
        return json.dumps({**older, **asked}, sort_keys=True)

    @field_validator("model_id")
    @classmethod
    def _not_reserved(cls, model_id: str | None) -> str | None:
        if model_id and model_id.rpartition(SEPARATOR)[2] == LATEST:
            raise ValueError(f"{LATEST} always means the newest model")
        return model_id
