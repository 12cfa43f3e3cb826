"""What the local stack consists of: its ports, its secrets and its programs."""

import secrets
import sys
from pathlib import Path

from devstack import ports
from devstack.console import say
from devstack.program import Program, ProgramError
from devstack.rabbitmq_node import Node
from devstack.s3 import S3

ROOT = Path(__file__).parents[1]
RUN = ROOT / ".run"
ENV = RUN / "env"

# Where each server listens when nobody else does.
PORTS = {
    "the API": 5000,
    "RabbitMQ": 5672,
    "RabbitMQ's management": 15672,
    "RabbitMQ's metrics": 15692,
    "RabbitMQ's distribution": 25672,
    "Erlang's port mapper": 14369,
    "S3": 9000,
}


def make() -> tuple[dict[str, str], list[Program]]:
    """Choose ports, write `.run/env` and the files of the servers.

    Returns the settings of the applications, and the programs in the order of their start.
    """
    RUN.mkdir(mode=0o700, exist_ok=True)
    RUN.chmod(0o700)
    before = read_settings()
    chosen = ports.choose(PORTS)
    for name, port in chosen.items():
        if port != PORTS[name]:
            say(f"Port {PORTS[name]} is taken, so {name} gets {port}")
    node = Node(
        folder=RUN / "rabbitmq",
        password=before.get("RABBITMQ_PASSWORD") or secrets.token_urlsafe(18),
        amqp=chosen["RabbitMQ"],
        management=chosen["RabbitMQ's management"],
        prometheus=chosen["RabbitMQ's metrics"],
        epmd=chosen["Erlang's port mapper"],
        distribution=chosen["RabbitMQ's distribution"],
    )
    s3 = S3(
        folder=RUN / "s3",
        port=chosen["S3"],
        secret_key=before.get("AWS_SECRET_ACCESS_KEY") or secrets.token_urlsafe(30),
    )
    settings = {
        **before,  # so that a line somebody added stays
        **node.settings(),
        **s3.settings(),
        "DATABASE_URL": f"sqlite:///{RUN / 'warren.db'}",
        "HOST": "127.0.0.1",
        "PORT": str(chosen["the API"]),
    }
    write_settings(settings)
    consumer = ["app.consumer.consumer", "--num_threads", "2"]
    return settings, [
        *node.prepare(),
        s3.prepare(),
        application("producer", ["app.producer.main"], settings),
        application("consumer", consumer, settings),
    ]


def application(name: str, module: list[str], settings: dict[str, str]) -> Program:
    """Make one of our own programs, to be run by this interpreter."""
    return Program(
        name=name,
        command=[sys.executable, "-m", *module],
        folder=ROOT,
        environment={**settings, "PYTHONUNBUFFERED": "1"},
        stop_seconds=40,  # longer than either takes to finish what it has in hand
    )


def read_settings() -> dict[str, str]:
    """Read the settings of the last start; there are none before the first."""
    lines = ENV.read_text().splitlines() if ENV.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")


def write_settings(settings: dict[str, str]) -> None:
    """Keep the settings for the next start and for whoever runs a part of Warren by hand."""
    ENV.touch(mode=0o600)
    ENV.chmod(0o600)
    ENV.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def api_address(settings: dict[str, str]) -> str:
    """Return the URL of the API that runs with these settings."""
    return f"http://{settings['HOST']}:{settings['PORT']}"


def local_api_address() -> str:
    """Return the URL of the local stack's API. Raises `ProgramError` when there is none."""
    settings = read_settings()
    if "PORT" not in settings:
        raise ProgramError("the stack does not run: `make up` starts it")
    return api_address(settings)
