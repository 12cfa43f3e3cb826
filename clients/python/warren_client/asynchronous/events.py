"""Follow a job by the events that the server sends, through any break."""

import json
from collections.abc import AsyncIterator

from warren_client.asynchronous.transport import AsyncTransport
from warren_client.calls import Call, part
from warren_client.errors import UnexpectedAnswer, Unreachable, WarrenError
from warren_client.patience import Patience
from warren_client.records import JobRecord, read
from warren_client.sse import EventReader, ServerEvent

NO_MORE = 204


async def job_events(
    transport: AsyncTransport, job_id: str, patience: Patience
) -> AsyncIterator[JobRecord]:
    """Yield the job as it is, and with each change until its end.

    After a break the stream goes on behind the last event, so that none comes twice. Raises
    `WarrenError`: what made the break, if it lasts longer than the patience.
    """
    last: str | None = None
    while True:
        call = Call("GET", f"/jobs/{part(job_id)}/events", headers=_behind(last))
        broken: WarrenError = Unreachable(f"the events of job {job_id} end before the job does")
        try:
            async with transport.stream(call) as answer:
                if answer.status_code == NO_MORE:
                    return
                reader = EventReader()
                async for line in answer.aiter_lines():
                    event = reader.line(line)
                    if event is None or event.event != "job":
                        continue
                    patience.heard()
                    last = event.id
                    record = _job(event)
                    yield record
                    if record.ended:
                        return
        except WarrenError as error:
            broken = error
        await transport.sleep(patience.pause(broken))


def _behind(last: str | None) -> dict[str, str]:
    accepted = {"Accept": "text/event-stream"}
    return accepted if last is None else {**accepted, "Last-Event-ID": last}


def _job(event: ServerEvent) -> JobRecord:
    try:
        return read(JobRecord, json.loads(event.data))
    except ValueError:
        raise UnexpectedAnswer("an event holds no JSON; is it a Warren?") from None
