"""Answer requests for one model together; what one of them does to the model harms no other."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

from app import errors
from app.consumer.handlers.asked import NO_RUNTIME, Asked
from app.inference.predictor import Prediction, Predictor
from app.observability import tracing
from app.observability.metrics import catalogue
from app.protocol.oip.reply import infer_reply
from app.protocol.oip.rows import InferPrediction
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.requests import PredictionInputs

Find = Callable[[], Predictor]  # returns the loaded model, or raises `errors.WarrenError`
Tell = Callable[[int, Reply], object]

# After these, the requests of an isolated model's run are run one by one. After a deadline nobody
# waits for another run.
_OF_ONE = errors.ModelOutOfMemory | errors.ModelLost | errors.TooLarge


class _Waiting(NamedTuple):
    """A request whose inputs are checked; `place` is its place among all."""

    place: int
    asked: Asked
    prepared: list[Any]


def answer_together(
    requests: list[Asked], model: Predictor, find: Find, run_bytes: int, tell: Tell
) -> None:
    """Check each request and run the valid ones together; `tell` the reply to each, by its place.

    A run ends with the request with which its decoded images and its answers take `run_bytes`; the
    images of others wait as base64. `find` returns the model again when its process has ended.
    """
    waiting: list[_Waiting] = []
    size = 0
    for place, asked in enumerate(requests):
        request = asked[1]
        try:
            prepared = model.prepare(request)
        except (errors.Invalid, errors.TooLarge) as error:
            catalogue.PREDICTIONS.add(model.answered_by, error.type)
            tell(place, Failed.of(error, model.model_id))
            continue
        waiting.append(_Waiting(place, asked, prepared))
        size += len(prepared) * model.answer_bytes
        if request.image_data is not None:
            size += sum(each.nbytes for each in prepared)
        if size > run_bytes:
            _run(waiting, model, find, tell)
            waiting, size = [], 0
    if waiting:
        _run(waiting, model, find, tell)


def _run(waiting: list[_Waiting], model: Predictor, find: Find, tell: Tell) -> None:
    """Run the model. If that fails by the fault of one request, run each alone."""
    if len(waiting) == 1:
        joined = waiting[0].prepared
    else:
        joined = [row for each in waiting for row in each.prepared]
    begun = perf_counter()
    try:
        predictions = _predict(model, joined)
    except errors.WarrenError as error:
        error.__traceback__ = None  # it holds the requests
        if len(waiting) > 1 and _by_one(error, model):
            for each in waiting:
                _run_alone(each, error, model.model_id, find, tell)
        else:
            catalogue.PREDICTIONS.add(model.answered_by, error.type, by=len(waiting))
            for each in waiting:
                tell(each.place, Failed.of(error, model.model_id))
        return
    catalogue.RUN.observe(perf_counter() - begun, model.answered_by)
    catalogue.BATCH_ROWS.observe(len(joined), model.answered_by)
    start = infinite = 0
    for place, (_, request), prepared in waiting:
        own = predictions[start : start + len(prepared)]
        start += len(prepared)
        reply: Reply = prediction_reply(request, own, model.model_id)
        if isinstance(request, InferPrediction):
            reply = infer_reply(request, reply, model.labels)
        infinite += isinstance(reply, Failed)
        tell(place, reply)
    catalogue.PREDICTIONS.add(model.answered_by, "completed", by=len(waiting) - infinite)
    if infinite:
        catalogue.PREDICTIONS.add(model.answered_by, errors.Invalid.type, by=infinite)


def _predict(model: Predictor, rows: list[Any]) -> list[Prediction | None]:
    if tracing.current() is None:
        return model.predict(rows)
    with tracing.span("run model", attributes={"warren.rows": len(rows)}):
        return model.predict(rows)


def _run_alone(
    waiting: _Waiting, error: errors.WarrenError, model_id: str, find: Find, tell: Tell
) -> None:
    """Run a request by itself, unless its sender has stopped waiting, after a run with `error`."""
    try:
        if waiting.asked[0].message.expired:
            raise error
        _run([waiting], find(), find, tell)
    except errors.WarrenError as last:  # it cannot be loaded again
        catalogue.PREDICTIONS.add(NO_RUNTIME, last.type)
        tell(waiting.place, Failed.of(last, model_id))


def _by_one(error: errors.WarrenError, model: Predictor) -> bool:
    """Tell whether one request of a run may be at fault, and the others can be run again."""
    return isinstance(error, _OF_ONE if model.isolated else errors.ModelOutOfMemory)


def prediction_reply(
    inputs: PredictionInputs, predictions: list[Prediction | None], model_id: str
) -> Predicted | Failed:
    """Return the reply to one request: a single prediction, or lists for a list of inputs."""
    whole = [each for each in predictions if each is not None]
    if len(whole) < len(predictions):
        field = inputs.field
        if inputs.many:
            field = f"{field}.{predictions.index(None)}"
        return Failed.of(errors.Invalid(field, "has no finite answer"), model_id)
    fields = whole[0]
    if inputs.many:
        fields = {name: [each[name] for each in whole] for name in fields}
    return Predicted(model_id, **fields)
