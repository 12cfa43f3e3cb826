"""Read secret settings from the files that variables named NAME_FILE name, such as Docker's."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

_SUFFIX = "_file"
_URL = re.compile(r"([a-z0-9+]+://[^/:@]+)(@.*)")  # of a user without a password


class SecretFileError(SettingsError):
    """A secret cannot be read from its file, or is given twice."""


def read_secret_files(source: EnvSettingsSource) -> EnvSettingsSource:
    """Return a source that also has the secrets of the files that its variables name.

    A file holds the secret alone, in UTF-8; a line end behind it does not count. Raises
    `SecretFileError` for a file that cannot be read, and for a secret that is given in both ways.
    """
    given = source.env_vars
    paths = dict(_files(source.settings_cls.model_fields, given))
    if twice := sorted(name for name in paths if given.get(name)):
        name = twice[0].upper()
        raise SecretFileError(f"{name} and {name}{_SUFFIX.upper()}: give one of the two")
    secrets = {name: _read(name, path) for name, path in paths.items()}
    others = {name: value for name, value in given.items() if _base(name) not in paths}
    source.env_vars = {**others, **secrets}
    return source


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting is a secret, or a mapping of them."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def with_password(url: SecretStr, password: SecretStr) -> str:
    """Return the URL of a database with the password of its user. Raises `ValueError`."""
    parts = _URL.fullmatch(url.get_secret_value())
    if not parts:
        raise ValueError(
            "DATABASE_PASSWORD goes with a DATABASE_URL that names a user and no password"
        )
    return f"{parts[1]}:{quote(password.get_secret_value(), safe='')}{parts[2]}"


def _files(
    fields: Mapping[str, FieldInfo], given: Mapping[str, str | None]
) -> Iterator[tuple[str, str]]:
    """Yield the names of the secrets that are in files, and the paths of these."""
    secrets = {name for name, field in fields.items() if is_secret(field)}
    for variable, path in given.items():
        name = _base(variable)
        if path and name and name.partition("__")[0] in secrets:
            yield name, path


def _base(variable: str) -> str:
    """Return the name of the setting that NAME_FILE is about; of another variable, nothing."""
    return variable.removesuffix(_SUFFIX) if variable.endswith(_SUFFIX) else ""


def _read(name: str, path: str) -> str:
    try:
        secret = Path(path).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    else:
        if secret:
            return secret
        why = "it is empty"
    raise SecretFileError(f"{name.upper()}{_SUFFIX.upper()}: {path} cannot be read: {why}")
