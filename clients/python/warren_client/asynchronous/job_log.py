"""Read the log of a job, and follow it through any break."""

from collections.abc import AsyncIterator

from warren_client.asynchronous.transport import AsyncTransport
from warren_client.calls import get, part
from warren_client.errors import WarrenError
from warren_client.patience import Patience
from warren_client.records import LogLine, member, read

LOOK_SECONDS = 1.0  # between two looks at a log that is followed


async def log_lines(
    transport: AsyncTransport, job_id: str, patience: Patience, *, follow: bool
) -> AsyncIterator[LogLine]:
    """Yield the lines of a job, the oldest first; with `follow` until no more will come.

    If the log begins anew, because another job has this id by now or the server went back to a copy
    of its database, so do the lines.

    Raises `WarrenError`: what made a break, if it lasts longer than the patience.
    """
    after, lost = 0, 0.0
    while True:
        try:
            answer = await transport.json(get(f"/jobs/{part(job_id)}/log", after=after))
            patience.heard()
            lost = 0.0
        except WarrenError as error:
            if not follow:
                raise
            lost = patience.pause(error)
        else:
            if member(answer, "total") < after:
                after = 0
                continue
            lines = member(answer, "lines")
            for line in lines:
                yield read(LogLine, line)
            if member(answer, "complete") or not (lines or follow):
                return
            after = member(answer, "next")
            if lines:
                continue
        await transport.sleep(lost or LOOK_SECONDS)
