"""The first key of the local stack, which `make up AUTH=on` makes and keeps in `.run/key`."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from app.settings import Settings
from devstack import env_file
from devstack.console import say
from devstack.layout import ROOT
from devstack.run_module import run_module

FILE = "key"
NAME = "first"

README = ROOT / "README.md"
_README_API = "http://127.0.0.1:5000"
_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(curl [^`]+)`")


def first_key(settings: Mapping[str, str], run: Path) -> str | None:
    """Return a valid key with all scopes, perhaps a new one; None if the stack needs no keys."""
    if not needs_keys(settings):
        return None
    kept = kept_key(run)
    listed = json.loads(run_module(settings, "app.cli", "keys", "list", "--json"))
    ids = [each["id"] for each in listed if not each["revoked_at"] and not each["expires_at"]]
    if kept and kept.split("_")[1] in ids:
        return kept
    say("Making the first key, with all scopes")
    made = run_module(settings, "app.cli", "keys", "create", "--name", NAME, "--scope", "all")
    env_file.write_private(run / FILE, made)
    return made.strip()


def kept_key(run: Path) -> str | None:
    """Return the key of the last start that needed one."""
    path = run / FILE
    return path.read_text().strip() if path.exists() else None


def needs_keys(settings: Mapping[str, str]) -> bool:
    """Tell whether a producer with these settings asks for keys."""
    of_producer = Settings(_env_file=None, host=settings["HOST"], auth=settings.get("AUTH", ""))
    return of_producer.authenticates


def calls(api: str, key: str | None, ca: Path | None = None, readme: Path = README) -> str:
    """Return every call of the README with the address of the API, to be pasted into a shell.

    They have a `key` and trust the authority `ca`, if there are such.
    """
    text = readme.read_text("utf-8")
    blocks = [block for block in _BLOCK.findall(text) if "curl " in block]
    found = "\n".join([*blocks, *_INLINE.findall(_BLOCK.sub("", text))])
    options = [f"-H 'X-API-Key: {key}'"] if key else []
    options += [f"--cacert {shlex.quote(str(ca))}"] if ca else []
    return found.replace("curl ", " ".join(["curl", *options, ""])).replace(_README_API, api)
