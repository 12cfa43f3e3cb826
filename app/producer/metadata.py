"""What a model takes and answers, with a sample of it that can be asked."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app import errors, registry
from app.database import Job
from app.endpoint import Endpoint
from app.manifest import Manifest, Uploaded
from app.messages import JSON, LATEST, Id
from app.producer import bare, modelschema, views
from app.producer.services import Needed, Services, threaded
from app.producer.strict import StrictRoute, problems

router = APIRouter(route_class=StrictRoute, tags=["predictions"])

# A PNG of 32 by 32 grey pixels.
GREY = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAGElEQVR42mNsYMAPmBhGFYwqGFUwQhUA"
    "AJe+AMD8WknZAAAAAElFTkSuQmCC"
)
_ZEROS: dict[str, Any] = {"number": 0, "boolean": False, "text": ""}

_ModelId = Annotated[Id, Query(examples=[LATEST])]


@router.get(
    "/metadata", response_model=modelschema.Metadata, responses=problems(404, 409, 422, 503)
)
async def metadata(model_id: _ModelId, services: Needed) -> modelschema.Metadata:
    """Describe what a model takes and answers.

    `sample` can be sent to `POST /predict` beside the `model_id`; it is null of an endpoint that
    was registered without one.
    """
    return await _described(services, model_id)


@router.get(
    "/predict/test",
    response_model=views.PredictionAnswer,
    responses=problems(404, 409, 413, 422, 502, 503, 504),
)
async def predict_sample(model_id: _ModelId, services: Needed) -> Response:
    """Predict the model's own sample, the one of `GET /metadata`, as `POST /predict` would."""
    found = await _described(services, model_id)
    if found.sample is None:
        raise errors.Conflict(
            f"model_id: model {found.model_id} was registered without a sample; ask it by "
            "POST /predict",
            field="model_id",
        )
    sample = json.dumps(found.sample, ensure_ascii=False, separators=(",", ":")).encode()
    body = bare.message(sample, model_id=found.model_id)
    with services.in_flight.admit() as take:
        take(len(body))
        answer = await services.predictions.ask((found.model_id, None), body)
    return Response(b'{"message":' + answer + b"}", media_type=JSON)


async def _described(services: Services, model_id: str) -> modelschema.Metadata:
    job = await threaded(registry.find, services.jobs, model_id)
    match job.kind:
        case "onnx":
            return _of_onnx(job, Uploaded.model_validate(job.request))
        case "endpoint":
            return _of_endpoint(job, Endpoint.model_validate(job.request))
    assert job.result_key is not None
    return _of_trained(job, await threaded(services.storage.get_manifest, job.result_key))


def _of_trained(job: Job, manifest: Manifest) -> modelschema.Metadata:
    sample = manifest.sample or {f.name: _ZEROS[f.type] for f in manifest.features}
    return modelschema.Metadata(
        model_id=job.id,
        kind=modelschema.kind_of(job),
        inputs=[modelschema.TakenFeature.model_validate(f.model_dump()) for f in manifest.features],
        prediction="number" if manifest.labels is None else "label",
        labels=manifest.labels,
        sample={"input_data": sample},
    )


def _of_onnx(job: Job, spec: Uploaded) -> modelschema.Metadata:
    inputs: list[modelschema.TakenFeature | modelschema.TakenImage]
    if spec.image and spec.image.image:
        inputs = [modelschema.TakenImage(size=spec.image.image.size)]
        sample: dict[str, Any] = {"image_data": GREY}
    else:
        inputs = [modelschema.TakenFeature(name=name, type="number") for name in spec.features]
        sample = {"input_data": spec.sample or dict.fromkeys(spec.features, 0)}
    return modelschema.Metadata(
        model_id=job.id,
        kind=modelschema.kind_of(job),
        inputs=inputs,
        prediction="number" if spec.labels is None else "label",
        labels=spec.labels,
        sample=sample,
    )


def _of_endpoint(job: Job, spec: Endpoint) -> modelschema.Metadata:
    """Return what is known of a remote model: no more than the sample tells."""
    sample: dict[str, Any] | None = None
    inputs: list[modelschema.TakenFeature | modelschema.TakenImage] | None = None
    if spec.sample is not None:
        sample, inputs = {"input_data": spec.sample}, [_seen(*each) for each in spec.sample.items()]
    elif spec.image_sample is not None:
        sample, inputs = {"image_data": spec.image_sample}, [modelschema.TakenImage()]
    return modelschema.Metadata(
        model_id=job.id,
        kind=modelschema.kind_of(job),
        inputs=inputs,
        prediction="any",
        sample=sample,
    )


def _seen(name: str, value: Any) -> modelschema.TakenFeature:
    """Guess a feature of a remote model by a value of it."""
    match value:
        case bool():
            return modelschema.TakenFeature(name=name, type="boolean")
        case int() | float():
            return modelschema.TakenFeature(name=name, type="number")
        case str():
            return modelschema.TakenFeature(name=name, type="text")
    return modelschema.TakenFeature(name=name, type="any")
