"""A Warren that runs, for a module that leaves it running; an empty one for any other test."""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pika
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devstack.authority import Authority
from devstack.rabbitmq import Broker
from devstack.s3 import S3Server
from devstack.stack import migrate
from tests.system.support.client import trained, upload
from tests.system.support.processes import CONSUMER, SECONDS, Process, Stack
from tests.system.support.programs import program


@dataclass(frozen=True)
class Running:
    """A producer, a consumer and a client."""

    stack: Stack
    producer: Process
    consumer: Process
    http: httpx2.Client


@pytest.fixture
def stack(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """A Warren of which nothing runs yet."""
    with Stack(environment, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with its tables, made as `make up` makes it; to be copied."""
    path = tmp_path_factory.mktemp("tables") / "warren.db"
    migrate({"DATABASE_URL": f"sqlite:///{path}"})
    return path


@pytest.fixture(scope="module")
def world(
    broker: Broker,
    s3_server: S3Server,
    s3: Any,
    tables: Path,
    tmp_path_factory: pytest.TempPathFactory,
    producer_certificate: dict[str, str],
) -> Iterator[Stack]:
    """A Warren for all tests of a module, of which nothing runs yet."""
    folder = tmp_path_factory.mktemp("stack")
    vhost, bucket = broker.new_vhost(), f"test-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=bucket)
    environment = {
        **producer_certificate,
        **broker.node.settings(),
        **s3_server.s3.settings(),
        "RABBITMQ_VHOST": vhost,
        "S3_BUCKET_NAME": bucket,
        "DATABASE_URL": f"sqlite:///{shutil.copy(tables, folder / 'warren.db')}",
    }
    with Stack(environment, folder) as made:
        yield made
    broker.delete_vhost(vhost)


@pytest.fixture(scope="module")
def running(world: Stack, request: pytest.FixtureRequest) -> Running:
    """A Warren that all tests of a module share; it may have `SETTINGS` and a `COMMAND`."""
    command = getattr(request.module, "COMMAND", CONSUMER)
    producer, consumer, http = world.pair(command, **getattr(request.module, "SETTINGS", {}))
    return Running(world, producer, consumer, http)


@pytest.fixture
def quick_ladder(world: Stack, broker: Broker) -> None:
    """Policies by which a job waits on the ladder for a moment only."""
    vhost = world.environment["RABBITMQ_VHOST"]
    for policy in broker.api("GET", f"policies/{vhost}"):
        if "message-ttl" in policy["definition"]:
            policy["definition"]["message-ttl"] = 50
            broker.api("PUT", f"policies/{vhost}/{policy['name']}", policy)


@pytest.fixture
def connection(running: Running) -> Iterator[pika.BlockingConnection]:
    """A connection of a client to the broker of the module's Warren."""
    with running.stack.amqp() as connection:
        yield connection


@pytest.fixture(scope="module")
def model_id(running: Running) -> str:
    """The reference model, in the module's Warren."""
    upload(running.http)
    return trained(running.http)


@pytest.fixture(scope="module")
def browser(encrypting: Authority | None) -> Iterator[Browser]:
    """A Chromium, the one of the system."""
    path = program("chromium", "chromium-browser", "google-chrome")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    # A name of somebody else, bound to the address of a Warren.
    arguments.append("--host-resolver-rules=MAP rebound.example 127.0.0.1")
    if encrypting:
        arguments.append("--ignore-certificate-errors")  # it trusts the system's authorities only
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
