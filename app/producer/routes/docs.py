"""The pages `/docs` and `/redoc`, their static files, and the document that both show."""

from collections.abc import Awaitable, Callable

from cachetools import LRUCache
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from app.producer.answers.security_fields import page_fields
from app.producer.routing.conditional_route import tagged
from app.producer.routing.static_files import OwnStaticFiles


def install(app: FastAPI, static_url: str) -> None:
    """Add the pages, whose files are below `static_url`, and keep the document rendered."""
    for place, each in enumerate(app.routes):
        if isinstance(each, Route) and each.path == app.openapi_url:
            endpoint = _rendered_once(each.endpoint)
            app.router.routes[place] = Route(each.path, endpoint, include_in_schema=False)
        if isinstance(each, Mount) and isinstance(each.app, StaticFiles):
            each.app = OwnStaticFiles(directory=each.app.directory)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} - Swagger UI",
            swagger_js_url=f"{root}{static_url}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{static_url}/swagger-ui.css",
            swagger_favicon_url=f"{root}{static_url}/favicon.png",
            swagger_ui_parameters=app.swagger_ui_parameters,
        )
        return _confined(page)

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} - ReDoc",
            redoc_js_url=f"{root}{static_url}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{static_url}/favicon.png",
            with_google_fonts=False,
        )
        return _confined(page)


def _confined(page: HTMLResponse) -> HTMLResponse:
    """Let a page load and run nothing but what is its own."""
    page.headers.update(page_fields(bytes(page.body).decode()))
    return page


def _rendered_once(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that renders its answer once for each prefix of a proxy.

    FastAPI renders it for each request, which holds the event loop for milliseconds.
    """
    answers: LRUCache[str, Response] = LRUCache(16)

    async def answer(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        if root not in answers:
            answers[root] = await endpoint(request)
        rendered = answers[root]
        return tagged(request, Response(rendered.body, media_type=rendered.media_type))

    return answer
