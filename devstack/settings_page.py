"""Render docs/settings.md from the `Settings` class: `python -m devstack.settings_page`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Unit
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.settings import Settings
from app.settings.broker import BrokerSettings
from app.settings.limits import LimitSettings
from app.settings.secret_files import is_secret
from app.settings.tls import TlsSettings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

INTRO = """\
# Settings

`make docs` writes this page from the modules of `app/settings/`; edit the descriptions there.

Every setting is an environment variable. The producer, the consumer and the commands read the same
ones. A variable of the environment wins over a line of `.run/env`, which `make up` writes for the
local stack. A process that finds an invalid setting does not start, and names the setting. Numbers
may have underscores between their digits.

A secret may also be in a file. Its path is in the variable of the same name with `_FILE` behind it:
`RABBITMQ_PASSWORD_FILE=/run/secrets/rabbitmq_password`. Then neither `docker inspect` nor the
environment of a process shows it. This goes for {secrets}.
Give each secret in one of the two ways. A line end at the end of the file does not count.
"""

TLS = """\
## Encryption

[Operations](operations.md#encryption) says where the files come from. They are in PEM, and keys
have no passphrase. PostgreSQL takes its settings from `DATABASE_URL`.
"""

LIMITS = """\
## Limits

[Reliability](reliability.md) says what a client gets at each of them.
"""

OUTRO = """\
## S3

With AWS S3, leave out `AWS_ENDPOINT_URL`, name your bucket in `S3_BUCKET_NAME`, and let boto3 find
the credentials as usual. `AWS_ENDPOINT_URL` names any other S3 server.

## Containers

`docker compose` reads `.env`, which has names of its own for some of these settings. `.env.example`
explains each.
"""


def render() -> str:
    """Return the whole page."""
    limits = LimitSettings.model_fields
    of_tls = {n: each for n, each in TlsSettings.model_fields.items() if n not in limits}
    known = limits | of_tls
    broker = {n: each for n, each in BrokerSettings.model_fields.items() if n not in known}
    known |= broker
    others = {n: each for n, each in Settings.model_fields.items() if n not in known}
    all_of_them = (broker | others).items()
    secrets = ", ".join(f"`{_variable(*each)}`" for each in all_of_them if is_secret(each[1]))
    parts = (
        *(INTRO.format(secrets=secrets), _table(others), ""),
        *("## RabbitMQ\n", _table(broker), ""),
        *(TLS, _table(of_tls), ""),
        *(LIMITS, _table(limits), ""),
        OUTRO,
    )
    return "\n".join(parts)


def _table(fields: Mapping[str, FieldInfo]) -> str:
    """Return the table of some settings."""
    heads = ("name", "default", "unit", "allowed", "meaning")
    rows = [_row(name, field) for name, field in fields.items()]
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return the cells of one setting."""
    unit = next((item.unit for item in field.metadata if isinstance(item, Unit)), "")
    return (
        f"`{_variable(name, field)}`",
        _default(field.default),
        unit,
        _bounds(field),
        field.description or "",
    )


def _variable(name: str, field: FieldInfo) -> str:
    is_mapping = field.default is PydanticUndefined  # one variable for each of its keys
    return f"{name.upper()}__NAME" if is_mapping else name.upper()


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value in (None, "", PydanticUndefined):
        return "none"
    return f"`{_number(value)}`" if isinstance(value, int | float) else f"`{value}`"


def _number(value: Any) -> str:
    """Write a number as the environment may hold it."""
    whole = int(value)
    if whole != value:
        return str(value)
    return f"{whole:_}" if whole >= 100_000 else str(whole)


def _bounds(field: FieldInfo) -> str:
    words = []
    for item in field.metadata:
        if isinstance(item, Gt):
            words.append(f"above {_number(item.gt)}")
        elif isinstance(item, Ge):
            words.append(f"from {_number(item.ge)}")
        elif isinstance(item, Le):
            words.append(f"to {_number(item.le)}")
    return " ".join(words)


if __name__ == "__main__":
    PAGE.write_text(render())
