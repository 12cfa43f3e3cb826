"""What the local stack consists of: its ports, its secrets and its programs."""

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from app.amqp.users import new_password
from app.settings.checks import names
from devstack import env_file, environment, ports
from devstack.authority import LOCAL, Authority
from devstack.console import say
from devstack.program import Program, ProgramError
from devstack.rabbitmq_node import CERTIFIED, SERVICES, Node
from devstack.s3 import S3

ROOT = Path(__file__).parents[1]
RUN = ROOT / ".run"


def make(environ: Mapping[str, str], run: Path = RUN) -> tuple[dict[str, str], list[Program]]:
    """Choose ports, write `.run/env` and the files of the servers.

    Returns the settings of the applications, and the programs in the order of their start. Raises
    `ProgramError` for a setting that cannot be obeyed.
    """
    run.mkdir(mode=0o700, exist_ok=True)
    run.chmod(0o700)
    lines, (_, chosen) = env_file.read(run), env_file.last_start(run)
    given = environment.merge(environ, lines, chosen)
    kept = {name: value for name, value in chosen.items() if lines.get(name) == value}
    own, servers = start_own(given.values, kept, choose_ports(given.values, kept), run)
    settings = own | given.values
    env_file.write(run, settings, chosen=[name for name in own if name not in given.values])
    environment.tell(given)
    consumer = ["app.consumer.consumer", "--num_threads", "2"]
    return settings, [
        *servers,
        application("producer", ["app.producer.main"], settings),
        application("consumer", consumer, settings),
    ]


def choose_ports(given: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, int]:
    """Find a port for each of the stack's own servers. Raises `ProgramError`."""
    absent = {
        name for server, names in environment.OWN.items() if server in given for name in names
    }
    if "RABBITMQ_HOST" in given:
        absent.add("RABBITMQ_PORT")
    usual = {name: port for name, port in ports.USUAL.items() if name not in absent}
    demanded = {name: ports.parse(name, given[name]) for name in usual if name in given}
    if "HOST" in given:
        ports.check_host(given["HOST"])
    wanted = {name: int(kept.get(name, port)) for name, port in usual.items()}
    found = ports.choose(wanted, demanded)
    for name, port in wanted.items():
        if name not in demanded and found[name] != port:
            say(f"Port {port} is taken, perhaps by another stack, so {name} becomes {found[name]}")
    return found


def start_own(
    given: Mapping[str, str], kept: Mapping[str, str], numbers: Mapping[str, int], run: Path
) -> tuple[dict[str, str], list[Program]]:
    """Write the files of the stack's own servers; return their settings and what to run."""
    known = {**kept, **given}
    settings = {"HOST": "127.0.0.1", "DATABASE_URL": f"sqlite:///{run / 'warren.db'}"}
    programs: list[Program] = []
    authority = Authority(run / "tls") if environment.encrypts(given) else None
    if authority:
        certificate = authority.server("producer", sorted({*LOCAL, *hosts(given)}))
        settings["TLS_CERTIFICATE_FILE"] = str(certificate.both)
    if "RABBITMQ_HOST" not in given:
        node = Node(
            folder=run / "rabbitmq",
            password=known.get("RABBITMQ_PASSWORD") or new_password(),
            passwords={
                role: of.get(f"RABBITMQ_{role.upper()}_PASSWORD") or new
                for role in SERVICES
                for of, new in [
                    (given, "") if authority and role in CERTIFIED else (known, new_password())
                ]
            },
            authority=authority,
            amqp=numbers["RABBITMQ_PORT"],
            management=numbers["RABBITMQ_MANAGEMENT_PORT"],
            prometheus=numbers["RABBITMQ_PROMETHEUS_PORT"],
            epmd=numbers["ERL_EPMD_PORT"],
            distribution=numbers["RABBITMQ_DIST_PORT"],
        )
        settings |= node.settings() | node.logins()
        programs += node.prepare()
    if "AWS_ENDPOINT_URL" not in given:
        s3 = S3(
            folder=run / "s3",
            port=numbers["S3_PORT"],
            secret_key=kept.get("AWS_SECRET_ACCESS_KEY") or secrets.token_urlsafe(30),
            bucket=known.get("S3_BUCKET_NAME") or S3.bucket,
            certificate=authority.server("s3") if authority else None,
        )
        settings |= s3.settings()
        programs.append(s3.prepare())
    return settings | {name: str(port) for name, port in numbers.items()}, programs


def hosts(given: Mapping[str, str]) -> list[str]:
    """Return the hosts by which the producer is asked, besides the loopback names."""
    found = [given.get("HOST", ""), *names(given.get("ALLOWED_HOSTS", ""))]
    return [each for each in found if each not in ("", "*", "0.0.0.0", "::")]


def application(name: str, module: list[str], settings: dict[str, str]) -> Program:
    """Make one of our own programs, to be run by this interpreter."""
    return Program(
        name=name,
        command=[sys.executable, "-m", *module],
        folder=ROOT,
        environment={**settings, "PYTHONUNBUFFERED": "1"},
        stop_seconds=40,  # longer than either takes to finish what it has in hand
    )


def running(environ: Mapping[str, str], run: Path = RUN) -> dict[str, str]:
    """Return the settings that the stack runs with. Raises `ProgramError` if others are given."""
    lines, (settings, chosen) = env_file.read(run), env_file.last_start(run)
    given = environment.merge(environ, lines, chosen)
    wanted = lines | given.values
    for name in given.taken:
        if name not in given.values:
            wanted.pop(name, None)
    if changed := [n for n in sorted({*wanted, *settings}) if wanted.get(n) != settings.get(n)]:
        names = ", ".join(changed)
        raise ProgramError(
            f"the stack runs, and {names} would change: `make down`, then this again"
        )
    return settings


def api_address(settings: dict[str, str]) -> str:
    """Return the URL of the API that runs with these settings."""
    # A server that listens on every address is asked on the nearest one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings["HOST"], settings["HOST"])
    scheme = "https" if settings.get("TLS_CERTIFICATE_FILE") else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings['PORT']}"


def ca_file(settings: Mapping[str, str], run: Path = RUN) -> Path | None:
    """Return the stack's own authority, if it encrypts."""
    return run / "tls" / "ca.pem" if environment.encrypts(settings) else None


def local_api_address() -> str:
    """Return the URL of the local stack's API. Raises `ProgramError` when there is none."""
    return api_address(last_settings())


def last_settings() -> dict[str, str]:
    """Return the settings of the last start. Raises `ProgramError` when there was none."""
    settings, _ = env_file.last_start(RUN)
    if "PORT" not in settings:
        raise ProgramError("the stack does not run: `make up` starts it")
    return settings
