"""The entity tags in the conditions of a request (RFC 9110 section 13)."""

from typing import Any

from fastapi import Request

TAG_SEPARATOR = "."  # in a tag between what the endpoint says and the hash of the answer


def sent_tags(request: Request, header: str) -> frozenset[str] | None:
    """Return the tags of a header, with their quotes; None without the header."""
    sent = ",".join(request.headers.getlist(header))
    return frozenset(each.strip() for each in sent.split(",")) if sent else None


def has_answer(request: Request, tag: str) -> bool:
    """Tell whether a client has the answer of this `tag`, by `If-None-Match` (section 13.1.2).

    The comparison is weak: proxies that compress an answer make its tag a weak one.
    """
    sent = sent_tags(request, "if-none-match") or ()
    return "*" in sent or tag in {each.removeprefix("W/") for each in sent}


def describe_conditions(if_match: str, if_none_match: str) -> list[dict[str, Any]]:
    """Return OpenAPI's description of both headers from what each of them does."""
    effects = {"If-Match": if_match, "If-None-Match": if_none_match}
    return [
        {
            "name": name,
            "in": "header",
            "description": f"{effect}.",
            "schema": {"type": "string", "examples": ["*"]},
        }
        for name, effect in effects.items()
    ]
