"""Write the file of profiles that the client reads."""

import json
import os
import re
from pathlib import Path

from warren_client.errors import Misconfigured
from warren_client.profiles import Profile, Profiles, config_file, read_profiles

_BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key that needs no quotes


def profile_names() -> list[str]:
    """Return the names of all profiles; none if their file cannot be read."""
    try:
        return sorted(read_profiles().profiles)
    except Misconfigured:
        return []


def keep_profile(name: str, profile: Profile, *, default: bool) -> Path:
    """Add or replace a profile, perhaps as the default one; return the path of the file."""
    known = read_profiles()
    first = name if default else known.default
    return write_profiles(Profiles(default=first, profiles={**known.profiles, name: profile}))


def drop_profile(name: str) -> None:
    """Delete a profile. Raises `Misconfigured` if it is not there."""
    known = read_profiles()
    require_profile(known, name)
    rest = {each: profile for each, profile in known.profiles.items() if each != name}
    write_profiles(
        Profiles(default=None if known.default == name else known.default, profiles=rest)
    )


def require_profile(known: Profiles, name: str) -> Profile:
    """Return a profile by its name. Raises `Misconfigured` if it is not there."""
    if name not in known.profiles:
        names = ", ".join(sorted(known.profiles)) or "none"
        raise Misconfigured(f"there is no profile {name}; there are: {names}")
    return known.profiles[name]


def write_profiles(profiles: Profiles) -> Path:
    """Replace the file, which only its owner may read; return its path."""
    path = config_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.touch(mode=0o600)
        partial.write_text(as_toml(profiles), "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def as_toml(profiles: Profiles) -> str:
    """Return the text of the file."""
    lines = [f"default = {_text(profiles.default)}"] if profiles.default else []
    for name, profile in sorted(profiles.profiles.items()):
        key = name if _BARE.fullmatch(name) else _text(name)
        lines += ["", f"[profiles.{key}]"]
        lines += [f"{each} = {_text(value)}" for each, value in profile if value is not None]
    return "\n".join([*lines, ""]).lstrip("\n")


def _text(value: str) -> str:
    """Return a basic string of TOML, which has the escapes of JSON but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
