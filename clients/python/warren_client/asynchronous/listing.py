"""Read lists page by page."""

from collections.abc import AsyncIterator
from typing import Any

from warren_client.asynchronous.transport import AsyncTransport
from warren_client.calls import get
from warren_client.records import member

PAGE = 100


async def entries(
    transport: AsyncTransport, path: str, name: str, limit: int | None, /, **filters: Any
) -> AsyncIterator[Any]:
    """Yield the entries of a list, at most `limit`, and ask for the next page when it is needed.

    `name` is the member of the answer that holds them. Raises `WarrenError`.
    """
    cursor, left = None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        answer = await transport.json(get(path, limit=size, cursor=cursor, **filters))
        for entry in member(answer, name):
            yield entry
            left = None if left is None else left - 1
        cursor = answer.get("next")
        if cursor is None:
            return
