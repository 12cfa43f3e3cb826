"""Ask a model about any number of rows: in several messages, one after the other."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial

from app import errors
from app.concurrency import offload_if_large
from app.producer.http.body import encode_message
from app.producer.invocations.answers import Answers
from app.producer.invocations.rows import InputRows
from app.producer.rpc.replies import read_prediction
from app.producer.services import Services
from app.protocol.replies import Predicted


async def predict_rows(
    services: Services,
    model_id: str,
    rows: InputRows,
    job_id: str | None,
    take: Callable[[int], None],
) -> Answers:
    """Return the answers to all rows, in their order; the first error ends the call.

    One message at a time is in flight, and `take` counts its bytes. Rows whose reply does not fit
    into a message are asked about again in halves. Raises the errors of `PredictionRouter.predict`,
    located in the request.
    """
    replies = [reply async for reply in _replies(services, model_id, rows, job_id, take)]
    return Answers.of(replies, many=rows.many)


async def _replies(
    services: Services,
    model_id: str,
    rows: InputRows,
    job_id: str | None,
    take: Callable[[int], None],
) -> AsyncIterator[Predicted]:
    waiting = deque(rows.pieces())
    while waiting:
        piece = waiting.popleft()
        taken = 0
        try:
            message = encode_message(rows.message(piece), model_id=model_id, job_id=job_id)
            take(len(message))
            taken = len(message)
            reply = await services.predictions.predict((model_id, None), message)
        except errors.TooLarge as error:
            if len(piece) == 1:
                raise rows.located(error, piece.start) from None
            middle = piece.start + len(piece) // 2
            waiting.extendleft((range(middle, piece.stop), range(piece.start, middle)))
        except errors.FieldError as error:
            raise rows.located(error, piece.start) from None
        else:
            yield await offload_if_large(len(reply), partial(read_prediction, reply))
        finally:
            take(-taken)
