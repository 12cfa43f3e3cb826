"""Ask a model about any number of rows: in several messages, one after the other."""

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from app import errors
from app.concurrency import offload_if_large
from app.producer.invocations.answers import Answers
from app.producer.invocations.rows import InputRows
from app.producer.routing.body import encode_message
from app.producer.rpc.replies import read_prediction


async def predict_rows(
    ask: Callable[[bytes], Awaitable[bytes]],
    rows: InputRows,
    take: Callable[[int], None],
    **head: str | None,
) -> Answers:
    """Return the answers to all rows, in their order; the first error ends the call.

    `ask` returns the reply to a message, which has the keys of `head`. One message at a time is in
    flight, and `take` counts its bytes. Rows whose reply does not fit into a message are asked
    about again in halves. Raises the errors of `ask`, located in the request.
    """
    replies = []
    waiting = deque(rows.pieces())
    while waiting:
        piece = waiting.popleft()
        taken = 0
        try:
            message = encode_message(rows.message(piece), **head)
            take(len(message))
            taken = len(message)
            reply = await ask(message)
        except errors.FieldError as error:
            if len(piece) == 1 or not isinstance(error, errors.TooLarge):
                raise rows.located(error, piece.start) from None
            middle = piece.start + len(piece) // 2
            waiting.extendleft((range(middle, piece.stop), range(piece.start, middle)))
            continue
        finally:
            take(-taken)
        replies.append(await offload_if_large(len(reply), partial(read_prediction, reply)))
    return Answers.of(replies, many=rows.many)
