"""Where the server is and with which key to ask: arguments, environment, profiles.

A profile is a table of `~/.config/warren/config.toml`, or of `$XDG_CONFIG_HOME/warren/config.toml`:

    default = "home"

    [profiles.home]
    url = "http://127.0.0.1:5000"

    [profiles.work]
    url = "https://warren.example.com"
    api_key = "wrn_..."
    ca_file = "/etc/ssl/our-authority.pem"
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from warren_client.credentials import checked_key, checked_url
from warren_client.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:5000"


class Profile(BaseModel):
    """A server by name; `ca_file` has the authorities that may sign its certificate, in PEM."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    api_key: str | None = Field(None, repr=False)
    ca_file: str | None = None


class Profiles(BaseModel):
    """The file of profiles; `default` is the one that is taken if nothing else is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: str | None = None
    profiles: dict[str, Profile] = {}


@dataclass(frozen=True)
class Server:
    """Whom to ask, and how."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    ca_file: str | None = None


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the file of profiles, which need not exist."""
    folder = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "warren" / "config.toml"


def read_profiles(path: Path | None = None) -> Profiles:
    """Return the profiles of a file; none if there is no file. Raises `Misconfigured`."""
    path = path or config_file()
    try:
        return Profiles.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Misconfigured(f"{path}: {place}: {first['msg'].lower()}") from None
    except ValueError as error:  # it is no TOML, or no UTF-8
        raise Misconfigured(f"{path}: {error}") from None


def find_server(
    url: str | None = None,
    api_key: str | None = None,
    ca_file: str | Path | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Server:
    """Return the server that the arguments, the environment and the profiles name.

    Arguments come first. A named `profile` comes before `WARREN_URL`, `WARREN_API_KEY` and
    `WARREN_CA_FILE`. Behind these come the profile that `WARREN_PROFILE` names, or the default one,
    and last `http://127.0.0.1:5000`. The key of a profile goes to the URL of this profile only.
    White space around a key does not count.

    Raises `Misconfigured`, also for a key that no header can hold, and for a URL with a password.
    """
    of = environment.get
    kept = _profile(profile or of("WARREN_PROFILE"), environment)
    if profile and kept:
        found = url or kept.url
        key, authority = (kept.api_key, kept.ca_file) if found == kept.url else (None, None)
    else:
        found = url or of("WARREN_URL") or (kept.url if kept else DEFAULT_URL)
        mine = kept if kept and found == kept.url else None
        key = checked_key(of("WARREN_API_KEY")) or (mine.api_key if mine else None)
        authority = of("WARREN_CA_FILE") or (mine.ca_file if mine else None)
    given = str(ca_file) if ca_file else authority
    sent = checked_key(api_key) or checked_key(key)
    return Server(checked_url(found, DEFAULT_URL), sent, given or None)


def _profile(name: str | None, environment: Mapping[str, str]) -> Profile | None:
    path = config_file(environment)
    known = read_profiles(path)
    name = name or known.default
    if name is None:
        return None
    if name not in known.profiles:
        names = ", ".join(sorted(known.profiles)) or "none"
        raise Misconfigured(f"there is no profile {name} in {path}; it has {names}")
    return known.profiles[name]
