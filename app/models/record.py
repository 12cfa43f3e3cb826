"""A model record: all that is known of a model without its file."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from app import errors
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.protocol.types import ModelKind


class TrainedSpec(BaseModel):
    """The part of a training's request that readers need; the manifest has the rest.

    `estimator` is None if the request named none, and the fit chose one.
    """

    model_config = ConfigDict(frozen=True)

    estimator: str | None = None


class StoredFile(NamedTuple):
    """A model's folder in S3, and the sha256 of the model file in it."""

    key: str
    sha256: str


Spec = TrainedSpec | OnnxManifest | EndpointSpec
SPECS: dict[ModelKind, type[Spec]] = {
    ModelKind.TRAINED: TrainedSpec,
    ModelKind.ONNX: OnnxManifest,
    ModelKind.ENDPOINT: EndpointSpec,
}


@dataclass(frozen=True)
class ModelSummary:
    """A model in short; only trained models have `estimator` to `warnings`, and `trained_at`.

    `runtime` and `warnings` are None for models of older versions. If it is `shortened`, what the
    fit did or the metrics are left out, because they are long. `created_at` is when its training
    was accepted, or when it was registered. It may be a `version` of a `name`, a qualified one.
    """

    model_id: str
    kind: ModelKind
    dataset_id: str | None
    dataset_version: str | None
    tags: list[str]
    estimator: str | None
    runtime: str | None
    metrics: dict[str, float] | None
    warnings: list[dict[str, Any]] | None
    shortened: bool
    created_at: datetime
    trained_at: datetime | None
    name: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class ModelRecord:
    """A model that can answer. Its fields never change; `file` is None for an endpoint.

    `fit_summary` is that of the `TrainedManifest`, None for models of other kinds and of older
    versions.
    """

    model_id: str
    kind: ModelKind
    spec: Spec
    file: StoredFile | None
    dataset_id: str | None
    metrics: dict[str, float] | None
    fit_summary: dict[str, Any] | None
    created_at: datetime
    trained_at: datetime | None

    def require_endpoint(self) -> EndpointSpec:
        """Return where a remote model is. Raises `errors.WrongQueue` for a model with a file."""
        if not isinstance(self.spec, EndpointSpec):
            raise errors.WrongQueue(
                "model_id",
                f"model {self.model_id} answers by {PREDICT_QUEUE}",
                queue=PREDICT_QUEUE,
            )
        return self.spec

    def require_file(self) -> StoredFile:
        """Return the file of a model. Raises `errors.WrongQueue` for an endpoint."""
        if isinstance(self.spec, EndpointSpec):
            raise errors.WrongQueue(
                "model_id",
                f"model {self.model_id} answers by {INVOKE_QUEUE}",
                queue=INVOKE_QUEUE,
                seconds=self.spec.seconds,
            )
        assert self.file is not None
        return self.file
