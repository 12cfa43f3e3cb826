"""The files in which the local stack keeps its settings: `.run/env`, and what the last start chose.

A line of `.run/env` with the value that the last start chose may change at the next one. Every
other line is the user's, and is obeyed.
"""

import json
from collections.abc import Collection, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.settings import Settings
from app.settings.secret_files import SecretFileError, read_secret_files
from devstack import environment
from devstack.program import ProgramError

ENV = "env"
STARTED = "started.json"

HEADING = """\
# Written by `make up`. It keeps the lines that you change or add, and obeys them; values that it
# chose itself it may choose anew. A setting in the environment of `make up` replaces its line."""

# What `make up` chose before it kept a record of that.
EVERY_START_CHOSE = (
    *("HOST", "PORT", "DATABASE_URL", "S3_BUCKET_NAME", "RABBITMQ_PORT", "RABBITMQ_PASSWORD"),
    *("RABBITMQ_MANAGEMENT_PORT", "RABBITMQ_PROMETHEUS_PORT"),
    *("RABBITMQ_HOST", "RABBITMQ_USER", "RABBITMQ_VHOST"),
    *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"),
)


def line(name: str, value: str) -> str:
    """Render a line of `.run/env` that is read as it was meant. Raises `ProgramError`."""
    for written in (f"{name}={value}", f"{name}='{value}'"):
        if value.isprintable() and dotenv_values(stream=StringIO(written)) == {name: value}:
            return written
    raise ProgramError(
        f"{name}: .run/env cannot hold this value, because of its quotes, line ends or ${{...}}"
    )


def read(run: Path) -> dict[str, str]:
    """Read `env`, as the applications read it; there may be none."""
    found = dotenv_values(run / ENV)
    # The applications do not tell invoke_hosts from INVOKE_HOSTS.
    return {
        name.upper() if environment.is_known(name) else name: value
        for name, value in found.items()
        if value is not None
    }


def write(run: Path, settings: Mapping[str, str], chosen: Collection[str]) -> None:
    """Write `env` and the record of this start. Raises `ProgramError` and leaves both alone."""
    content = "\n".join([HEADING, *(line(*each) for each in settings.items()), ""])
    partial = run / f"{ENV}.part"
    try:
        write_private(partial, content)
        check(partial)
        record = {"settings": dict(settings), "chosen": list(chosen)}
        write_private(run / STARTED, json.dumps(record))
        partial.replace(run / ENV)
    finally:
        partial.unlink(missing_ok=True)


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(content)


def last_start(run: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings of the last start, and those of them that it chose; none before it."""
    path = run / STARTED
    if path.exists():
        record = json.loads(path.read_text())
        settings: dict[str, str] = record["settings"]
        return settings, {name: settings[name] for name in record["chosen"]}
    settings = read(run)
    if set(EVERY_START_CHOSE) <= set(settings):
        return settings, {name: settings[name] for name in EVERY_START_CHOSE}
    return {}, {}


def check(path: Path) -> None:
    """Read a file as the applications do. Raises `ProgramError` if they would refuse it."""
    try:
        _OfFile(_env_file=path)
    except ValidationError as error:
        wrong = [f"{'__'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise ProgramError("\n".join(wrong)) from None
    except SecretFileError as error:
        raise ProgramError(str(error)) from None
    except SettingsError:
        raise ProgramError("INVOKE_SECRETS: not a JSON object") from None


class _OfFile(Settings):
    """The settings of a file, whatever the environment says."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:
        return (read_secret_files(sources["dotenv_settings"]),)
