"""The header fields that tell browsers and caches what they may do with a response."""

import re
from base64 import b64encode
from hashlib import sha256

POLICY = b"content-security-policy"
# Of a response without a policy of its own: it is data, loads nothing, and is in no frame.
OF_DATA = (POLICY, b"default-src 'none'; frame-ancestors 'none'")
# No guesses at what a file is, and no addresses of jobs or models for other sites. With
# `no-referrer`, browsers would send `Origin: null` with the forms of Warren's own pages.
OF_ALL = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
# Of an answer to a GET or HEAD that says nothing of caches. Some keep one, also a 404, for
# minutes or a day, and do not know that it is for one `X-API-Key` (RFC 9111, 3.5 and 4.2.2).
CACHING = b"cache-control"
OF_GETS = (CACHING, b"no-cache")
# A browser ignores it unless the connection is encrypted (RFC 6797, 8.1).
OF_HTTPS = (b"strict-transport-security", b"max-age=31536000")

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page_fields(html: str) -> dict[str, str]:
    """Return the fields of a page that loads and calls only this server.

    Of its inline scripts only those of `html` run, which are named by their hashes. Swagger UI and
    ReDoc make elements of style, and ReDoc a worker that searches.
    """
    hashes = (b64encode(sha256(each.encode()).digest()) for each in _INLINE_SCRIPT.findall(html))
    rules = (
        "default-src 'none'",
        " ".join(("script-src 'self'", *(f"'sha256-{each.decode()}'" for each in hashes))),
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(rules),
        "Cross-Origin-Opener-Policy": "same-origin",
    }
