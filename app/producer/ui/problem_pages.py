"""Show problems to browsers: as a page, or as the login if that is missing."""

import json
from urllib.parse import quote

from fastapi import Request, Response

from app.producer.answers.accept import best
from app.producer.ui.rendering import HEADERS, page
from app.protocol.types import PROBLEM_MEDIA_TYPE

_HTML = "text/html"


def problem_page(request: Request, problem: Response) -> Response:
    """Return the answer to a request that failed: for a browser at a page, as a page."""
    root = request.scope.get("root_path", "")
    path = request.scope["path"].removeprefix(root)
    if path != "/ui" and not path.startswith("/ui/"):
        return problem
    accepted = ", ".join(request.headers.getlist("accept"))
    if not accepted or best(accepted, (PROBLEM_MEDIA_TYPE, _HTML)) != _HTML:
        return problem
    if problem.status_code == 401 and request.method in ("GET", "HEAD"):
        query = request.scope["query_string"].decode("latin-1")
        wanted = quote(f"{path}?{query}" if query else path, safe="")
        return Response(
            status_code=303, headers={**HEADERS, "Location": f"{root}/login?then={wanted}"}
        )
    # A browser follows `Refresh` without scripts: what is away for a moment comes by itself.
    again = problem.headers.get("Retry-After") if request.method == "GET" else None
    found = json.loads(bytes(problem.body))
    shown = page(request, "problem.html", problem.status_code, problem=found, again=again)
    if again:
        shown.headers["Refresh"] = again
    for name, value in problem.headers.items():
        if name not in ("content-length", "content-type"):
            shown.headers.setdefault(name, value)
    return shown
