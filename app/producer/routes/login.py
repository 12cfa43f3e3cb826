"""The login of browsers: `/login` and `/logout`, a form without scripts."""

import re
from base64 import b64encode
from dataclasses import replace
from functools import partial
from hashlib import sha256
from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from app import errors
from app.auth.api_key import in_order
from app.auth.identity import Identity
from app.auth.sessions import begin_session, end_session
from app.auth.tokens import KEY_PREFIX, SESSION_PREFIX, read_id
from app.concurrency import run_in_thread
from app.producer.callers.caller import WRONG_KEY, actor_of, identity_of
from app.producer.callers.same_origin import is_foreign
from app.producer.callers.session_cookie import delete_session, session_of, set_session
from app.producer.routing.body import media_type
from app.producer.routing.route_scopes import allow_everybody
from app.producer.routing.strict_route import StrictRoute
from app.producer.services import services_of
from app.protocol.types import URLENCODED_MEDIA_TYPE

# In the page itself, because the style sheet of the others needs a login.
_STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 10vh auto; padding: 0 1rem; }
form { border: 1px solid; border-radius: 4px; padding: .5rem 1rem; }
input { font: inherit; box-sizing: border-box; width: 100%; padding: .4rem; display: block; }
button { font: inherit; padding: .4rem 1rem; cursor: pointer; }
:focus-visible { outline: 3px solid; outline-offset: 2px; }
[role=alert] { font-weight: 600; }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
}
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Warren - login</title>
<style>{style}</style>
<h1>Warren</h1>
{content}
</html>
"""
_ASK = """\
<form method="post" action="{root}/login">
<input type="hidden" name="then" value="{then}">
<p><label>API key <input type="password" name="key" autocomplete="current-password" required
autofocus></label></p>
<p><button>Log in</button></p>
{problem}
</form>"""
_WELCOME = """\
<p>You are logged in: owner {owner}, key {key}, scopes {scopes}.</p>
<p><a href="{root}/ui">The pages of Warren</a>, <a href="{root}/docs">the API's pages</a></p>
<form method="post" action="{root}/logout"><p><button>Log out</button></p></form>"""

# Where a login may lead: pages of Warren, so never another host.
_PAGE_PATH = re.compile(r"/ui(/[\w.~/-]*)?(\?[\w.~%&=+:<>-]*)?", re.ASCII)

router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@router.get("/login")
@allow_everybody
async def login_page(request: Request, then: str = "") -> Response:
    """Show the form, or who is logged in. `then` is the page that a login leads to."""
    found = identity_of(request.scope)
    if not services_of(request).keys:
        return _page("<p>This Warren needs no key, so there is no login.</p>")
    return _page(_welcome(request, found) if found.key_id else _ask(request, then))


@router.post("/login")
@allow_everybody
async def login(request: Request) -> Response:
    """Begin a session with a key; the browser keeps it in a cookie.

    Raises `errors.Forbidden` for the form of a foreign page.
    """
    _refuse_foreign(request)
    keys = services_of(request).keys
    text, then = _read(request, await request.body())
    found = keys.identify(text) if keys and read_id(text, KEY_PREFIX) else None
    if not keys or not found or not found.key_id:
        if tell := request.scope.get(WRONG_KEY):
            tell(request.scope)
        answer = _page(_ask(request, then, "This key is not valid."), 401)
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Warren"'
        return answer
    by = replace(actor_of(request.scope), name=f"key {found.key_id}", owner=found.owner)
    session = await run_in_thread(partial(begin_session, by=by), keys.engine, found.key_id)
    await run_in_thread(keys.refresh)  # so that the next request finds the session
    answer = _redirect(request, then if _PAGE_PATH.fullmatch(then) else "/login")
    set_session(answer, request.scope, session)
    return answer


@router.post("/logout")
@allow_everybody
async def logout(request: Request) -> Response:
    """End the session of the browser, on every producer within 2 seconds.

    Raises `errors.Forbidden` for the form of a foreign page.
    """
    _refuse_foreign(request)
    keys = services_of(request).keys
    text = (session_of(request.headers.get("cookie", "")) or "").encode("latin-1")
    if keys and keys.identify(text) and (session_id := read_id(text, SESSION_PREFIX)):
        await run_in_thread(end_session, keys.engine, session_id, actor_of(request.scope))
        await run_in_thread(keys.refresh)
    answer = _redirect(request, "/login")
    delete_session(answer, request.scope)
    return answer


def _refuse_foreign(request: Request) -> None:
    if is_foreign(request.scope):
        raise errors.Forbidden("only Warren's own page logs in and out")


def _read(request: Request, body: bytes) -> tuple[bytes, str]:
    """Return the key of a form and the page to go to; both are empty for what is no form."""
    if media_type(request) != URLENCODED_MEDIA_TYPE:
        return b"", ""
    fields = parse_qs(body.decode("latin-1"), encoding="latin-1")
    (text, *_), (then, *_) = fields.get("key", [""]), fields.get("then", [""])
    return text.strip().encode("latin-1"), then


def _ask(request: Request, then: str, problem: str = "") -> str:
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return _ASK.format(root=_root(request), then=escape(then), problem=said)


def _welcome(request: Request, who: Identity) -> str:
    scopes = ", ".join(in_order(who.scopes))
    return _WELCOME.format(
        root=_root(request), owner=escape(who.owner), key=who.key_id, scopes=escape(scopes)
    )


def _page(content: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(style=_STYLE, content=content), status, _HEADERS)


def _redirect(request: Request, path: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}", 303, _HEADERS)


def _root(request: Request) -> str:
    return escape(request.scope.get("root_path", ""))
