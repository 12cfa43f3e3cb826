"""The page `/redoc`, and the static files of this page and of `/docs`."""

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse
from starlette.routing import Mount

from app.producer.http.static_files import OwnStaticFiles

# ReDoc would load a logo from a foreign server.
_OWN_IMAGES = {"Content-Security-Policy": "img-src 'self' data:"}


def install(app: FastAPI, static_url: str) -> None:
    """Add `/redoc`, with its script from below `static_url`."""
    for each in app.routes:
        if isinstance(each, Mount) and isinstance(each.app, StaticFiles):
            each.app = OwnStaticFiles(directory=each.app.directory)

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
        page.headers.update(_OWN_IMAGES)
        return page
