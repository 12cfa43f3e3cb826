"""The conditions of a request that changes an alias (RFC 9110 section 13)."""

from fastapi import Request
from starlette.exceptions import HTTPException

from app.models.aliases import Check
from app.producer.conditions.entity_tags import describe_conditions, sent_tags

CONDITIONS = describe_conditions(
    if_match="`*` only changes an alias that is there, an `ETag` only one that is unchanged",
    if_none_match="`*` only makes a new alias",
)


def alias_tag(change: int) -> str:
    """Return the entity tag of an alias: the number of its newest change."""
    return f'"{change}"'


def alias_check(request: Request) -> Check:
    """Return a function that raises HTTP's 412 if a condition forbids to change an alias."""
    wanted, unwanted = sent_tags(request, "if-match"), sent_tags(request, "if-none-match")

    def check(change: int | None) -> None:
        tags = frozenset() if change is None else frozenset(("*", alias_tag(change)))
        if wanted is not None and not wanted & tags:
            now = f"is at {alias_tag(change)}" if change is not None else "is not there"
            said = ", ".join(sorted(wanted))
            raise HTTPException(412, f"alias: it {now}, and If-Match wants {said}")
        if unwanted is not None and unwanted & tags:
            raise HTTPException(412, "alias: it is there, and If-None-Match forbids it")

    return check
