"""Links to Warren's own resources."""

from fastapi import Request


def location(request: Request, path: str) -> dict[str, str]:
    """Return the header field that links to a path of Warren, below a proxy's prefix."""
    return {"Location": f"{request.scope.get('root_path', '')}{path}"}
