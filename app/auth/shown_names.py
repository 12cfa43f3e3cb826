"""Names in answers: what an owner calls the things that have qualified names inside.

The owner `default` has no other names, so nothing changes in its answers unless they name what
another owner shares.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from app.auth.identity import DEFAULT_OWNER
from app.auth.names import SEPARATOR, shown
from app.protocol import strict_json

MODEL_MEMBERS = ("model_id", "model")  # the exact model: its id, and `name:version` if it has one

# A reply begins so; the order of its members is part of the protocol.
_ENDED_BADLY = (b'{"status":"TASK_ERROR"', b'{"status":"TASK_CANCELLED"')
_HEAD = re.compile(rb'\{"status":"[A-Z_]+","model_id":"([^"\\]+)"')


def shown_reply(owner: str, reply: bytes) -> bytes:
    """Return a consumer's reply, which is not parsed, with the model's name as `owner` has it."""
    if owner == DEFAULT_OWNER or not (head := _HEAD.match(reply)):
        return reply
    begin, end = head.span(1)
    return reply[:begin] + shown(owner, head[1].decode()).encode() + reply[end:]


def shown_answer(owner: str, reply: bytes) -> bytes:
    """Return a consumer's reply to a client of the broker, with all names as `owner` has them."""
    named = shown_reply(owner, reply)
    if not named.startswith(_ENDED_BADLY) or SEPARATOR.encode() not in named:
        return named
    wire = strict_json.loads(named)
    if wire.get("error"):
        wire["error"] = shown_error(owner, wire["error"])
    return strict_json.dumps(wire)


def shown_text(owner: str, text: str) -> str:
    """Return a text for people, such as an error's, without the owner before their own names."""
    if owner == DEFAULT_OWNER or SEPARATOR not in text:
        return text
    return _own_prefix(owner).sub("", text)


def shown_members(owner: str, value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return an object whose members of these `names`, if they are texts, are names as shown."""
    found = dict(value)
    if owner != DEFAULT_OWNER:
        for name in names:
            if isinstance(found.get(name), str):
                found[name] = shown(owner, found[name])
    return found


def shown_error(owner: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error, as replies and rows have it, with names as shown in all its texts."""
    return {
        name: shown_text(owner, value) if isinstance(value, str) else value
        for name, value in error.items()
    }


@lru_cache(maxsize=1024)
def _own_prefix(owner: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.{SEPARATOR}-]){re.escape(owner + SEPARATOR)}(?=\w)")
