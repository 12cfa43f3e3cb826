"""What the user asks of the local stack: the environment of `make up` goes before `.run/env`."""

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.settings import Settings, secret_files
from devstack import ports
from devstack.console import say
from devstack.program import ProgramError

FIELDS = {name.upper(): field for name, field in Settings.model_fields.items()}

#: The user names a server by this setting, and then the stack starts none of its own.
SERVERS = {"RABBITMQ_HOST": "RabbitMQ", "AWS_ENDPOINT_URL": "S3"}

#: Only a server of somebody else has these; the stack's own servers have fixed ones.
FOREIGN = {
    "RABBITMQ_HOST": (
        "RABBITMQ_USER",
        "RABBITMQ_PRODUCER_USER",
        "RABBITMQ_CONSUMER_USER",
        "RABBITMQ_TOOLS_USER",
        "RABBITMQ_VHOST",
        "RABBITMQ_TLS",
        "RABBITMQ_CA_FILE",
        "RABBITMQ_CERTIFICATE_FILE",
        "RABBITMQ_KEY_FILE",
        "RABBITMQ_PRODUCER_CERTIFICATE_FILE",
        "RABBITMQ_CONSUMER_CERTIFICATE_FILE",
    ),
    "AWS_ENDPOINT_URL": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
        "AWS_CA_BUNDLE",
    ),
}

#: Only the stack's own server has these.
OWN = {
    "RABBITMQ_HOST": (
        "RABBITMQ_MANAGEMENT_PORT",
        "RABBITMQ_PROMETHEUS_PORT",
        "RABBITMQ_DIST_PORT",
        "ERL_EPMD_PORT",
    ),
    "AWS_ENDPOINT_URL": ("S3_PORT",),
}

#: Whether the stack's own servers encrypt: no setting of the applications.
TLS = "TLS"

#: Their values are random ones, unless a server of somebody else has them.
PASSWORDS = ("RABBITMQ_PASSWORD", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class Given:
    """What the user asks for; nothing of it may be ignored in silence."""

    #: From the environment or from a line of `.run/env`, to be obeyed.
    values: dict[str, str]
    #: What the environment gives; an empty value takes a line of `.run/env` back.
    taken: dict[str, str]
    #: The AWS login of a shell that names no S3: it is meant for other programs.
    passed_over: tuple[str, ...] = ()


def field_of(name: str) -> str:
    """Return the setting that a variable belongs to: INVOKE_SECRETS__NAME to INVOKE_SECRETS."""
    return name.upper().partition("__")[0]


def is_known(name: str) -> bool:
    """Tell whether the stack or its applications read a variable, in capitals or not."""
    own = {TLS, *itertools.chain(*OWN.values())}
    return field_of(name) in FIELDS or name.upper() in own


def merge(environ: Mapping[str, str], lines: Mapping[str, str], chosen: Mapping[str, str]) -> Given:
    """Put the environment before the lines of `.run/env`.

    `chosen` is what `make up` chose at the last start. A shell that has read `.run/env` repeats
    these values, which shows by the passwords; it demands the ports, and nothing else. Raises
    `ProgramError` for what cannot be obeyed.
    """
    before = {name: value for name, value in lines.items() if chosen.get(name) != value}
    has_read = any(name in chosen and environ.get(name) == chosen[name] for name in PASSWORDS)
    repeated = chosen if has_read else {}
    capitals = {name.upper(): value for name, value in environ.items() if is_known(name)}
    taken = {
        name: value
        for name, value in capitals.items()
        if name in before or name in ports.USUAL or repeated.get(name) != value
    }
    passed_over: tuple[str, ...] = ()
    if not (before | taken).get("AWS_ENDPOINT_URL"):
        passed_over = tuple(name for name in FOREIGN["AWS_ENDPOINT_URL"] if taken.get(name))
        taken = {name: value for name, value in taken.items() if name not in passed_over}
    given = {n: value for n, value in (before | taken).items() if value or n not in taken}
    refuse_unfit(given)
    return Given(given, taken, passed_over)


def refuse_unfit(given: Collection[str]) -> None:
    """Raise `ProgramError` for what describes a server that there will not be."""
    for server, title in SERVERS.items():
        unfit = (OWN if server in given else FOREIGN)[server]
        for name in (name for name in unfit if name in given):
            if server in given:
                why = f"the stack starts no {title} of its own then. Give one of the two."
                raise ProgramError(f"{name} with {server}: {why}")
            why = f"the stack's own {title} has its own. Give both or neither, in .run/env too."
            raise ProgramError(f"{name} without {server}: {why}")


def encrypts(given: Mapping[str, str]) -> bool:
    """Tell whether the stack is to encrypt. Raises `ProgramError`."""
    value = given.get(TLS, "")
    if value not in ("", "0", "off", "1", "on"):
        raise ProgramError(f"{TLS}={value}: say 1 or 0")
    return value in ("1", "on")


def is_secret(name: str) -> bool:
    """Tell whether a variable's value must not be shown."""
    field = FIELDS.get(field_of(name))
    return field is not None and secret_files.is_secret(field)


def shown(values: Mapping[str, str]) -> str:
    """Render settings for the terminal, without secrets."""
    return ", ".join(
        f"{name}={'***' if is_secret(name) else value}" for name, value in values.items()
    )


def tell(given: Given) -> None:
    """Print what the environment gives."""
    kept = {name: value for name, value in given.taken.items() if value}
    if kept:
        say(f"From the environment, and kept in .run/env: {shown(kept)}")
        say(f"An empty value takes it back, as in `{next(iter(kept))}= make up`.")
    if back := [name for name in given.taken if name not in kept]:
        say(f"Taken back by an empty value in the environment: {', '.join(back)}")
    if given.passed_over:
        names = ", ".join(given.passed_over)
        say(f"The stack has its own S3, so the environment's {names} has no meaning for it.")
