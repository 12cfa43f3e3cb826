"""Real parts for the tests: a server of each kind a session, and a clean corner of it a test."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from alembic import command
from alembic.config import Config

from app.jobs.store import JobStore
from app.settings import Settings
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from app.storage.model_files import ModelStore
from devstack import buckets
from devstack.authority import Authority
from devstack.program import ProgramError
from devstack.rabbitmq import Broker
from devstack.s3 import S3Server
from tests.support.postgres import Postgres, name_of

pytest.register_assert_rewrite("tests.support.served")  # for its messages

ROOT = Path(__file__).parents[1]

# OpenMP's threads spin while they wait, which makes fits very slow on a busy machine. The processes
# of the system tests do not inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # LightGBM counts the cores itself

# How long an example takes says more about the machine than about us.
hypothesis.settings.register_profile("warren", deadline=None)
hypothesis.settings.load_profile("warren")


def pytest_configure() -> None:
    """End on SIGTERM as on Ctrl-C, so that the fixtures end their servers.

    A background job of a shell ignores Ctrl-C, and so would all processes that it starts.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the servers of the tests encrypt."""
    parser.addoption("--tls", action="store_true", help="encrypt all connections (system tests)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests by their folder. Tests in `tests/unit` get no marker."""
    plain = pytest.mark.skip(reason="it has a part of its own that speaks no TLS")
    for item in items:
        if config.getoption("--tls") and item.get_closest_marker("plain"):
            item.add_marker(plain)
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder != "unit":
            item.add_marker(folder)


def _missing(error: Exception) -> None:
    """Skip on a laptop what must not be skipped in CI."""
    if os.environ.get("CI"):
        raise error
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def encrypting(request: pytest.FixtureRequest) -> Authority | None:
    """The authority with `--tls`, else None."""
    if not request.config.getoption("--tls"):
        return None
    made: Authority = request.getfixturevalue("authority")
    return made


@pytest.fixture(scope="module")
def producer_certificate(
    request: pytest.FixtureRequest, encrypting: Authority | None
) -> dict[str, str]:
    """The settings of a producer that encrypts with `--tls`.

    A module that speaks HTTP by itself says `PLAIN_HTTP = True`.
    """
    if encrypting is None or getattr(request.module, "PLAIN_HTTP", False):
        return {}
    return {"TLS_CERTIFICATE_FILE": str(encrypting.server("producer").both)}


@pytest.fixture(scope="session")
def broker(
    tmp_path_factory: pytest.TempPathFactory, encrypting: Authority | None
) -> Iterator[Broker]:
    """A RabbitMQ node."""
    try:
        node = Broker.on_free_ports(tmp_path_factory.mktemp("rabbitmq"), encrypting)
    except ProgramError as error:
        _missing(error)
    with node:
        version = node.api("GET", "overview")["rabbitmq_version"]
        assert version == os.environ.get("RABBITMQ_VERSION", version), "another one was meant"
        yield node


@pytest.fixture(scope="session")
def s3_server(
    tmp_path_factory: pytest.TempPathFactory, encrypting: Authority | None
) -> Iterator[S3Server]:
    """An S3 server."""
    certificate = encrypting.server("s3") if encrypting else None
    with S3Server.on_free_port(tmp_path_factory.mktemp("s3") / "data", certificate) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def vhost(broker: Broker) -> Iterator[str]:
    """A vhost with the product's queues and policies."""
    name = broker.new_vhost()
    yield name
    broker.delete_vhost(name)


@pytest.fixture(scope="session")
def s3(s3_server: S3Server) -> Any:
    """A client of the S3 server, for what the product does not do."""
    return buckets.resource(s3_server.s3.settings()).meta.client


@pytest.fixture
def bucket(s3: Any) -> str:
    """An empty bucket."""
    name = f"test-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    return name


def migrate(url: str) -> str:
    """Bring a database up to date; return its URL."""
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["url"] = url
    command.upgrade(config, "head")
    return url


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with its tables, to be copied."""
    path = tmp_path_factory.mktemp("tables") / "warren.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_tables(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with its tables, to be copied."""
    return name_of(migrate(postgres.new_database()))


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_tables: Path) -> str:
    """An SQLite database with its tables."""
    return f"sqlite:///{shutil.copy(sqlite_tables, tmp_path / 'warren.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of each kind with its tables."""
    if request.param == "sqlite":
        yield str(request.getfixturevalue("sqlite_url"))
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database(like=request.getfixturevalue("postgres_tables"))
    yield url
    server.drop(url)


@pytest.fixture
def store(database_url: str) -> Iterator[JobStore]:
    """A job table, on each kind of database."""
    opened = JobStore(database_url)
    yield opened
    opened.close()


@pytest.fixture
def environment(
    broker: Broker,
    vhost: str,
    s3_server: S3Server,
    bucket: str,
    sqlite_url: str,
    producer_certificate: dict[str, str],
) -> dict[str, str]:
    """What the real processes find in their environment."""
    return {
        **producer_certificate,
        **broker.node.settings(),
        **s3_server.s3.settings(),
        "RABBITMQ_VHOST": vhost,
        "S3_BUCKET_NAME": bucket,
        "DATABASE_URL": sqlite_url,
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The same, for what runs inside the test."""
    return Settings(_env_file=None, **{key.lower(): value for key, value in environment.items()})


@pytest.fixture
def datasets(settings: Settings) -> DatasetStore:
    """The data sets of the test's bucket."""
    return DatasetStore(S3Client(settings), settings.s3_path_name)


@pytest.fixture
def models(settings: Settings) -> ModelStore:
    """The models of the test's bucket."""
    return ModelStore(S3Client(settings), settings.s3_model_path_name)
