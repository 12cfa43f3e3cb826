"""The page that asks whether to change a name."""

from typing import Any

from fastapi import Request, Response

from app.producer.ui.rendering import page


def confirm(
    request: Request,
    action: str,
    changed: str | None,
    *,
    now: object,
    fields: dict[str, Any],
    wanted: object = None,
    why: str | None = None,
) -> Response:
    """Return the page that asks; the `fields` go with its form.

    They have what the page shows, as `seen`. `changed` tells what is different from what an earlier
    page has shown; the page is a 409 then.
    """
    asked: dict[str, Any] = {
        "name": request.path_params["name"],
        "action": action,
        "changed": changed,
        "now": now,
        "wanted": wanted,
        "fields": fields,
        "why": why,
    }
    return page(request, "confirm_name.html", 409 if changed else 200, **asked)
