"""HTTP bodies about models: how they are registered, listed and described."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator
from pydantic.config import JsonDict

from app.models.endpoint import EndpointSpec
from app.models.manifest import FitWarning, OnnxManifest, TrainedManifest
from app.producer.schemas.whole_schema import whole_schema
from app.protocol.column_types import ColumnKind
from app.protocol.label_keys import Label
from app.protocol.references import NameField
from app.protocol.types import JSON_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, ZIP_MEDIA_TYPE

# Literals keep the enum inline in the OpenAPI document; the values are those of `ModelKind`.
Kind = Literal["trained", "onnx", "endpoint"]


class ModelView(BaseModel):
    """A model in short. Fields that only trained models have are null for the others.

    `runtime` and `warnings` are also null for models that an older version trained. If the model is
    `shortened`, metrics, runtime or warnings are null because they are long; `GET /models/{id}` has
    them.
    """

    model_config = ConfigDict(from_attributes=True)

    model_id: str
    name: str | None = None
    version: int | None = None
    kind: Kind
    dataset_id: str | None
    dataset_version: str | None = None
    tags: list[str] = []
    estimator: str | None
    runtime: str | None
    metrics: dict[str, float] | None
    warnings: list[FitWarning] | None
    shortened: bool = False
    trained_at: datetime | None
    created_at: datetime


class Models(BaseModel):
    """A page of models; `next` is the cursor of the page that follows, null on the last one."""

    models: list[ModelView]
    next: str | None


class OfName(BaseModel):
    """Of which name a model is which version, and the aliases that point to it; null without."""

    name: str | None = None
    version: int | None = None
    aliases: list[str] = []


class TrainedModel(TrainedManifest, OfName):
    """A model that was trained here."""

    kind: Literal["trained"]


class OnnxModel(OnnxManifest, OfName):
    """An uploaded ONNX model: its manifest."""

    model_id: str
    registered_at: datetime


class EndpointModel(EndpointSpec, OfName):
    """A remote model. Only the names of its secrets are shown."""

    model_id: str
    registered_at: datetime


ModelDetail = Annotated[TrainedModel | OnnxModel | EndpointModel, Discriminator("kind")]


class Registered(BaseModel):
    """The answer of `PUT /models/{model_id}`."""

    model_id: str
    kind: Kind


class NamedManifest(OnnxManifest):
    """The manifest of an upload: that of the model, and a name of which it is the next version."""

    name: NameField = None

    @property
    def spec(self) -> dict[str, Any]:
        """Return what describes the model, which has no name itself."""
        return self.model_dump(exclude={"name"}, exclude_unset=True)


class NamedEndpoint(EndpointSpec):
    """A remote model to register, and a name of which it is the next version."""

    name: NameField = None

    @property
    def spec(self) -> dict[str, Any]:
        """Return what describes the model, which has no name itself."""
        return self.model_dump(exclude={"name"}, exclude_unset=True)


class TakenFeature(BaseModel):
    """A value of a row."""

    name: str
    type: ColumnKind | Literal["any"]
    nullable: bool = False


class TakenImage(BaseModel):
    """A JPEG, PNG or WebP in base64; Warren scales it to `size`, [height, width]."""

    name: Literal["image_data"] = "image_data"
    type: Literal["image"] = "image"
    size: list[int] | None = None


class Metadata(BaseModel):
    """The inputs and the prediction of a model; `inputs` are null if they are unknown.

    `sample` holds `input_data` or `image_data`, and with the `model_id` is a body of /predict.
    """

    model_id: str
    name: str | None = None
    version: int | None = None
    kind: Kind
    inputs: list[TakenFeature | TakenImage] | None
    prediction: Literal["number", "label", "any"]
    labels: list[Label] | None = None
    sample: dict[str, Any] | None


_IRIS: JsonDict = {
    "inputs": [{"name": "X", "features": ["sepal_length", "sepal_width"]}],
    "output": {"name": "probabilities", "holds": "probabilities"},
    "labels": ["setosa", "versicolor"],
    "sample": {"sepal_length": 5.1, "sepal_width": 3.5},
}
_REMOTE: JsonDict = {
    "url": "http://127.0.0.1:8080/predict",
    "seconds": 10,
    "sample": {"bmi": 0.06, "bp": 0.02},
}
_MANIFEST = whole_schema(NamedManifest)
# Swagger UI shows the example of a part only after *Try it out*, so the description has it, too.
_SHOWN = f"{_MANIFEST['description']}\n\n```json\n{json.dumps(_IRIS, indent=2)}\n```"
REGISTRATION: JsonDict = {
    "required": True,
    "content": {
        MULTIPART_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["manifest", "model"],
                "properties": {
                    "manifest": {
                        **_MANIFEST,
                        "title": "Uploaded",
                        "description": _SHOWN,
                        "example": _IRIS,
                    },
                    "model": {
                        "type": "string",
                        "format": "binary",
                        "description": "The ONNX file.",
                        "examples": ["@model.onnx"],
                    },
                },
            },
            "encoding": {"manifest": {"contentType": JSON_MEDIA_TYPE}},
        },
        ZIP_MEDIA_TYPE: {
            "schema": {
                "type": "string",
                "format": "binary",
                "description": "The folder of an MLflow model with an ONNX flavour.",
            },
        },
        JSON_MEDIA_TYPE: {
            "schema": {**whole_schema(NamedEndpoint), "title": "Endpoint"},
            "example": _REMOTE,
        },
    },
}
