"""Pages that refresh themselves are rendered once for all who ask while nothing has changed."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from app.producer.ui.refresh import refresh_seconds
from app.producer.ui.rendering import HEADERS, Here, in_pieces

_MOST = 256  # pages; the largest has 80 kB


class KeptPages:
    """Keeps the pages that were asked for last, each for an address and what its caller may see."""

    def __init__(self, most: int = _MOST) -> None:
        """Keep so many pages."""
        self._most = most
        self._kept: OrderedDict[Any, tuple[Any, bytes]] = OrderedDict()

    async def page(
        self,
        request: Request,
        template: str,
        mark: object,
        values: Callable[[], Awaitable[dict[str, Any]]],
    ) -> Response:
        """Return a page, rendered from its `values` if its `mark` differs from that of before.

        The mark changes with each value. It is read before the values, which may be newer: the next
        request then has another mark.
        """
        refresh = refresh_seconds(request)
        which, state = (Here.of(request), request.scope["query_string"]), (refresh, mark)
        kept, body = self._kept.pop(which, (None, b""))
        if kept != state:
            body = await in_pieces(request, template, refresh=refresh, **await values())
        self._kept[which] = state, body
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return HTMLResponse(body, headers=HEADERS)
