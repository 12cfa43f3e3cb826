"""One private Warren: its servers, its processes, and, for faults, a proxy between each of both."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT
from typing import Any, Self

import httpx2

from devstack import buckets, ports
from devstack.rabbitmq import Broker
from devstack.s3 import S3Server
from devstack.stack import migrate
from tests.chaos import batches
from tests.chaos.database import Database
from tests.chaos.load import REMOTE
from tests.chaos.loop import Loop
from tests.chaos.proxy import Proxy
from tests.chaos.service import Service, Supervisor
from tests.support.endpoints import Stranger
from tests.support.postgres import OWNER, Postgres
from tests.support.waiting import until
from tests.system.support.client import diabetes
from tests.system.support.processes import every_default

PRODUCER = "producer"
CONSUMERS = ("consumer-a", "consumer-b")
PARTS = ("broker", "s3", "database")
THREADS = 2
THINKS = 2.0  # seconds, a remote model: long enough to be hit
CONSUMER = ["app/consumer/consumer.py", "--num_threads", str(THREADS)]


class World:
    """A context manager: everything runs on entering, nothing is left on leaving."""

    def __init__(self, folder: Path, settings: dict[str, str], *, proxied: bool = True) -> None:
        """`settings` go to every process of ours.

        Only a world that is `proxied` has proxies, which one thread of this process serves.
        """
        self.folder = folder
        self.settings = settings
        self._proxied = proxied
        for name in ("rabbitmq", "postgres", "home"):
            (folder / name).mkdir()
        database_port, self._http_port = ports.unused(2)
        self.broker = Broker.on_free_ports(folder / "rabbitmq")
        self.s3_server = S3Server.on_free_port(folder / "s3")
        self.stranger = Stranger()
        self.postgres = Postgres(folder / "postgres", database_port)
        self.address = f"http://127.0.0.1:{self._http_port}"
        self.services: dict[str, Service] = {}
        self.proxies: dict[tuple[str, str], Proxy] = {}
        self._loop = Loop()
        self._targets = {
            "broker": self.broker.node.amqp,
            "s3": self.s3_server.s3.port,
            "database": database_port,
        }
        #: When the queues were last declared, as far as a fault had a hand in it.
        self.declared = float("-inf")
        #: When a fault last started the broker.
        self.started = float("-inf")
        self.bucket = self.s3_server.s3.bucket
        self.s3 = self._s3_client()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def wires(self, part: str, of: str | None = None) -> list[Proxy]:
        """Return the proxies before a server: those of all processes, or of one."""
        return [self.proxies[name, part] for name in self.services if of in (None, name)]

    def login(self) -> dict[str, str]:
        """Return what an AMQP client of nobody's acquaintance needs; past the proxies."""
        return self.broker.node.settings()

    def heal(self) -> None:
        """Undo whatever a fault that was broken off may have left."""
        for proxy in self.proxies.values():
            proxy.heal()
        for service in self.services.values():
            service.send(SIGCONT)

    def logs(self) -> Iterator[tuple[str, str]]:
        """Yield each process of ours with a line it said."""
        for name, service in self.services.items():
            with service.log.open(errors="replace") as lines:
                for line in lines:
                    yield name, line

    def versions(self) -> dict[str, str]:
        """Return the servers' versions."""
        broker = str(self.broker.api("GET", "overview")["rabbitmq_version"])
        return {"RabbitMQ": broker, "PostgreSQL": self.database.version()}

    def ready(self) -> bool:
        """Tell whether the API says that everything works."""
        try:
            return httpx2.get(f"{self.address}/health", trust_env=False, timeout=5).is_success
        except httpx2.TransportError:
            return False

    def _start(self) -> None:
        self.stranger.__enter__()
        self.postgres.start()
        self.broker.start()
        self.s3_server.start()
        url = self.postgres.new_database()
        migrate({"DATABASE_URL": url})
        self._database = url.partition("@/")[2].partition("?")[0]
        self.database = Database(url.replace("+psycopg", ""))
        self.database.install_audit()
        for name in (PRODUCER, *CONSUMERS):
            for part in PARTS if self._proxied else ():
                self.proxies[name, part] = Proxy(self._loop, self._targets[part])
            command = ["-m", "app.producer.main"] if name == PRODUCER else CONSUMER
            self.services[name] = Service(
                name, [sys.executable, *command], self._environment(name), self._log(name)
            )
            self.services[name].start()
        self._supervisor = Supervisor(list(self.services.values()))
        self._supervisor.start()
        until(self.ready, "the API is ready", 60)
        until(self._all_consume, "all consumers are ready", 60)
        self._put("/datasets/diabetes", content=diabetes())
        self._put(f"/datasets/{batches.DATASET}", content=batches.table())
        self._put(f"/models/{batches.MODEL}", **batches.registration(), timeout=60)
        for model in REMOTE:
            url = f"{self.stranger.url}/think/{THINKS}"
            self._put(f"/models/{model}", json={"url": url, "idempotent": model == "again"})

    def _put(self, path: str, **body: Any) -> None:
        httpx2.put(f"{self.address}{path}", **body, trust_env=False).raise_for_status()

    def _all_consume(self) -> bool:
        queues = self.broker.api("GET", "queues/%2F")
        (train,) = [each for each in queues if each["name"] == "queue.model.train"]
        return bool(train.get("consumers", 0) >= len(CONSUMERS) * THREADS)

    def _environment(self, name: str) -> dict[str, str]:
        at = dict(self._targets)
        if self._proxied:
            at = {part: self.proxies[name, part].port for part in PARTS}
        return {
            **every_default(),
            **self.broker.node.settings(),
            **self.s3_server.s3.settings(),
            "RABBITMQ_PORT": str(at["broker"]),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{at['s3']}",
            "DATABASE_URL": (
                f"postgresql+psycopg://{OWNER}@127.0.0.1:{at['database']}/{self._database}"
            ),
            "HOST": "127.0.0.1",
            "PORT": str(self._http_port),
            "HOME": str(self.folder / "home"),
            "INVOKE_HOSTS": self.stranger.host,
            **self.settings,
        }

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _s3_client(self) -> Any:
        return buckets.resource(self.s3_server.s3.settings()).meta.client

    def _end(self) -> None:
        """End everything, the last one first, also when one of them resists."""
        with ExitStack() as ends:
            ends.callback(self.postgres.__exit__)
            ends.callback(self.broker.__exit__)
            ends.callback(self.s3_server.stop)
            ends.callback(self.stranger.__exit__)
            ends.callback(self._loop.close)
            for proxy in self.proxies.values():
                ends.callback(proxy.close)
            for service in self.services.values():
                ends.callback(service.end)
            if hasattr(self, "_supervisor"):
                ends.callback(self._supervisor.stop)
