"""`/asyncapi.json`: the AsyncAPI document of the queues."""

from fastapi import APIRouter, Response

from app.producer.asyncapi.document import encoded
from app.producer.routing.conditional_route import ConditionalRoute
from app.producer.routing.route_scopes import allow_everybody
from app.protocol.types import JSON_MEDIA_TYPE

router = APIRouter(route_class=ConditionalRoute, include_in_schema=False)


@router.get("/asyncapi.json")
@allow_everybody
async def asyncapi_json() -> Response:
    """Return the AsyncAPI document (3.1.0): what clients send over AMQP, and what they get."""
    return Response(encoded(), media_type=JSON_MEDIA_TYPE)
