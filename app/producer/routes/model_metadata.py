"""`GET /metadata` and `GET /predict/test`: what a model takes and answers, with a sample."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app import errors
from app.auth.identity import Scope
from app.auth.names import shown
from app.auth.shown_names import shown_reply
from app.concurrency import run_in_thread
from app.models.endpoint import EndpointSpec
from app.models.manifest import ZEROS, OnnxManifest, TrainedManifest
from app.models.record import ModelRecord
from app.producer.answers.version_members import version_members, version_seen
from app.producer.callers.access import OwnerDep
from app.producer.routing.body import encode_message
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.parameters import MODEL, DatasetOfLatest, check_latest
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.models import Metadata, TakenFeature, TakenImage
from app.producer.schemas.responses import PredictionAnswer
from app.producer.services import Services, ServicesDep
from app.protocol import strict_json
from app.protocol.examples import GREY_IMAGE
from app.protocol.references import ModelReference
from app.protocol.replies import with_model
from app.protocol.types import JSON_MEDIA_TYPE, LATEST

router = APIRouter(route_class=ConditionalRoute, tags=["predictions"])

_ModelId = Annotated[ModelReference, Query(description=MODEL, openapi_examples=example(LATEST))]


@router.get(
    "/metadata",
    response_model=Metadata,
    responses=NOT_MODIFIED | problem_responses(404, 409, 410, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def metadata(
    model_id: _ModelId,
    services: ServicesDep,
    owner: OwnerDep,
    dataset_id: DatasetOfLatest = None,
) -> Metadata:
    """Describe what a model takes and answers.

    `sample` can be sent to `POST /predict` together with the `model_id`. It is null if an endpoint
    was registered without one.
    """
    check_latest(model_id, dataset_id)
    asked = await services.access.model_of(owner, model_id, dataset_id)
    found = await _described(services, *asked)
    version = await version_seen(services.access, services.jobs.engine, owner, found.model_id)
    of_name = version_members(owner, version)
    return found.model_copy(update={"model_id": shown(owner, found.model_id), **of_name})


@router.get(
    "/predict/test",
    response_model=PredictionAnswer,
    responses=NOT_MODIFIED | problem_responses(404, 409, 410, 413, 422, 502, 503, 504),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def predict_sample(
    model_id: _ModelId,
    services: ServicesDep,
    owner: OwnerDep,
    dataset_id: DatasetOfLatest = None,
) -> Response:
    """Predict the model's own sample, the one of `GET /metadata`, as `POST /predict` would."""
    check_latest(model_id, dataset_id)
    exact, asked_dataset = await services.access.exact_of(owner, model_id, dataset_id)
    found = await _described(services, exact.model_id, asked_dataset)
    if found.sample is None:
        raise errors.Conflict(
            "model_id",
            f"model {found.model_id} was registered without a sample; ask it by POST /predict",
        )
    sample = strict_json.encode(found.sample).encode()
    body = encode_message(sample, model_id=found.model_id)
    with services.in_flight.admit() as take:
        take(len(body))
        answer = await services.predictions.predict((found.model_id, None), body)
        answer = with_model(shown_reply(owner, answer), exact.label(owner))
    return Response(b'{"message":' + answer + b"}", media_type=JSON_MEDIA_TYPE)


async def _described(services: Services, model_id: str, dataset_id: str | None) -> Metadata:
    """Return what a model takes and answers; its `model_id` is the qualified name."""
    record = await run_in_thread(services.models.get, model_id, dataset_id)
    match record.spec:
        case OnnxManifest() as spec:
            return _of_onnx(record, spec)
        case EndpointSpec() as spec:
            return _of_endpoint(record, spec)
    key = record.require_file().key
    return _of_trained(record, await run_in_thread(services.model_files.get_manifest, key))


def _of_trained(record: ModelRecord, manifest: TrainedManifest) -> Metadata:
    sample = manifest.sample or {f.name: ZEROS[f.type] for f in manifest.features}
    return Metadata(
        model_id=record.model_id,
        kind=record.kind.value,
        inputs=[TakenFeature.model_validate(f.model_dump()) for f in manifest.features],
        prediction="number" if manifest.labels is None else "label",
        labels=manifest.labels,
        sample={"input_data": sample},
    )


def _of_onnx(record: ModelRecord, spec: OnnxManifest) -> Metadata:
    inputs: list[TakenFeature | TakenImage]
    if spec.image and spec.image.image:
        inputs = [TakenImage(size=spec.image.image.size)]
        sample: dict[str, Any] = {"image_data": GREY_IMAGE}
    else:
        inputs = [
            TakenFeature(name=name, type=each.type, nullable=each.nullable)
            for name, each in spec.input_of_feature.items()
        ]
        sample = {"input_data": spec.sample_or_zeros}
    return Metadata(
        model_id=record.model_id,
        kind=record.kind.value,
        inputs=inputs,
        prediction="number" if spec.labels is None else "label",
        labels=spec.labels,
        sample=sample,
    )


def _of_endpoint(record: ModelRecord, spec: EndpointSpec) -> Metadata:
    """Describe a remote model, of which only the sample is known."""
    sample: dict[str, Any] | None = None
    inputs: list[TakenFeature | TakenImage] | None = None
    if spec.sample is not None:
        sample, inputs = {"input_data": spec.sample}, [_seen(*each) for each in spec.sample.items()]
    elif spec.image_sample is not None:
        sample, inputs = {"image_data": spec.image_sample}, [TakenImage()]
    return Metadata(
        model_id=record.model_id,
        kind=record.kind.value,
        inputs=inputs,
        prediction="any",
        sample=sample,
    )


def _seen(name: str, value: Any) -> TakenFeature:
    """Guess the type of a remote model's feature from a value of it."""
    match value:
        case bool():
            return TakenFeature(name=name, type="boolean")
        case int() | float():
            return TakenFeature(name=name, type="number")
        case str():
            return TakenFeature(name=name, type="text")
    return TakenFeature(name=name, type="any")
