"""`/asyncapi`: the AsyncAPI document as a page. It loads nothing, so it needs no key."""

from functools import cache

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from app.amqp.topology import REQUEST_EXCHANGE
from app.producer.asyncapi.channels import WAYS
from app.producer.asyncapi.document import document
from app.producer.asyncapi.messages import REQUESTS
from app.producer.routing.route_scopes import allow_everybody
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import environment, standalone
from app.producer.ui.schema_rows import schema_rows

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/asyncapi")
@allow_everybody
async def asyncapi_page(request: Request) -> Response:
    """Show the queues, what clients send to them and get from them, and what each body holds."""
    return standalone(request, "asyncapi.html", content=_content())


@cache
def _content() -> Markup:
    """Return the part of the page that is the same for everybody."""
    made = document()
    schemas = made["components"]["schemas"]
    template = environment().get_template("asyncapi_content.html")
    return Markup(  # noqa: S704  the template escapes its values
        template.render(
            info=made["info"],
            servers=made["servers"],
            requests=REQUESTS,
            exchange=REQUEST_EXCHANGE,
            ways=[description for description, _ in WAYS.values()],
            schemas={name: (each, schema_rows(each)) for name, each in schemas.items()},
        )
    )
