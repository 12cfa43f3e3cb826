"""Answer requests for one model together; what one of them does to the model harms no other."""

from collections.abc import Callable
from itertools import chain, islice
from typing import Any, NamedTuple

from app import errors
from app.amqp.message import Replyable
from app.consumer.handlers.asked import Asked
from app.inference.predictor import Prediction, Predictor
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.requests import PredictionInputs, PredictRequest

Find = Callable[[], Predictor]  # returns the loaded model, or raises `errors.WarrenError`

# After these, the requests of an isolated model's run are run one by one.
_OF_ONE = errors.ModelOutOfMemory | errors.ModelLost | errors.DeadlineExceeded


class _Waiting(NamedTuple):
    """A request whose inputs are checked; `place` is its place among all."""

    place: int
    part: Replyable
    request: PredictRequest
    prepared: list[Any]


def answer_together(requests: list[Asked], find: Find, image_bytes: int) -> list[Reply]:
    """Check each request and run the valid ones together; return a reply to each, in their order.

    A run has at most `image_bytes` of decoded images; the others wait as base64.
    """
    replies: dict[int, Reply] = {}
    waiting: list[_Waiting] = []
    size = 0
    model = find()
    for place, (part, request) in enumerate(requests):
        try:
            prepared = model.prepare(request)
        except (errors.Invalid, errors.TooLarge) as error:
            replies[place] = Failed.of(error, model.model_id)
            continue
        waiting.append(_Waiting(place, part, request, prepared))
        size += sum(each.nbytes for each in prepared) if request.images else 0
        if size > image_bytes:
            _run(waiting, model, find, replies)
            waiting, size = [], 0
    _run(waiting, model, find, replies)
    return [replies[place] for place in range(len(requests))]


def _run(waiting: list[_Waiting], model: Predictor, find: Find, replies: dict[int, Reply]) -> None:
    """Run the model. If that fails by the fault of one request, run each alone."""
    if not waiting:
        return
    try:
        joined = list(chain.from_iterable(each.prepared for each in waiting))
        predictions = iter(model.predict(joined))
    except errors.WarrenError as error:
        error.__traceback__ = None  # it holds the requests
        for each in waiting:
            replies[each.place] = Failed.of(error, model.model_id)
        if len(waiting) > 1 and _by_one(error, model):
            _run_alone(waiting, model.model_id, find, replies)
        return
    for each in waiting:
        own = list(islice(predictions, len(each.prepared)))
        replies[each.place] = prediction_reply(each.request, own, model.model_id)


def _run_alone(
    waiting: list[_Waiting], model_id: str, find: Find, replies: dict[int, Reply]
) -> None:
    """Run each request by itself, unless its sender has stopped waiting."""
    for each in waiting:
        if each.part.message.expired:
            continue
        try:
            _run([each], find(), find, replies)
        except errors.WarrenError as error:  # it cannot be loaded again
            replies[each.place] = Failed.of(error, model_id)


def _by_one(error: errors.WarrenError, model: Predictor) -> bool:
    """Tell whether one request of a run may be at fault, and the others can be run again."""
    return isinstance(error, _OF_ONE if model.isolated else errors.ModelOutOfMemory)


def prediction_reply(
    inputs: PredictionInputs, predictions: list[Prediction | None], model_id: str
) -> Predicted | Failed:
    """Return the reply to one request: a single prediction, or lists for a list of inputs."""
    whole = [each for each in predictions if each is not None]
    if len(whole) < len(predictions):
        field = "input_data" if inputs.image_data is None else "image_data"
        if inputs.many:
            field = f"{field}.{predictions.index(None)}"
        return Failed.of(errors.Invalid(field, "has no finite answer"), model_id)
    fields = whole[0]
    if inputs.many:
        fields = {name: [each[name] for each in whole] for name in fields}
    return Predicted(model_id, **fields)
