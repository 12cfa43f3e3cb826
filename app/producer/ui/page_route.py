"""Routes of pages."""

from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.producer.routing.conditional_route import ConditionalRoute
from app.producer.routing.route_scopes import check_scopes

CHECKED = ("ids", "model_ids")  # the parameters that boxes send


class PageRoute(ConditionalRoute):
    """A conditional route for the addresses that forms make.

    A form sends each of its fields, also the empty ones, and the same name for each box that is
    checked. A GET with such parameters is sent on to the address without the empty ones, and with a
    comma between the ids that were checked. So an address says what it asks for and no more.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] == "GET" and scope["query_string"]:
            sent = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            given = [(name, value) for name, value in sent if value and name not in CHECKED]
            checked = {name: [v for n, v in sent if n == name and v] for name in CHECKED}
            given += [(name, ",".join(values)) for name, values in checked.items() if values]
            if sorted(given) != sorted(sent):
                check_scopes(self, scope)
                path = quote(scope["path"], safe="/~")  # which the server has decoded
                clean = f"{path}?{urlencode(given)}" if given else path
                await Response(status_code=303, headers={"Location": clean})(scope, receive, send)
                return
        await super().handle(scope, receive, send)
