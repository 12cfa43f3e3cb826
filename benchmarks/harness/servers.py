"""The servers of a benchmark: broker, S3 and database of its own, Warren on top, and peers.

Nothing of the user's stack is touched: a folder for it all, free ports, a virtual host for each.
"""

import functools
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx2
from sklearn.datasets import load_diabetes

from devstack import buckets, ports
from devstack.demo import ROW, TRAIN, TRAIN_SECONDS, follow
from devstack.layout import ROOT, application
from devstack.program import Program
from devstack.rabbitmq import Broker
from devstack.run_module import run_module
from devstack.s3 import S3Server
from devstack.stack import migrate
from devstack.subprocesses import Children
from warren_client import Warren

PRODUCER = ("app.producer.main",)
START_SECONDS = 60.0
STATISTICS_MS = 5000  # RabbitMQ's own default; the tests look more often, which takes a core's time


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A Warren that runs and has a trained model; `body` is one prediction, for `POST /predict`."""

    url: str  # http://127.0.0.1:port
    settings: dict[str, str]
    model_id: str
    body: bytes
    producer_pid: int
    consumer_pids: tuple[int, ...]
    log: Path


class Bench:
    """A context manager: broker, S3 and database run and a model is trained on entering.

    `rounds` says how often a section repeats what it measures, `seconds` how long each load lasts,
    `predictions` how many the memory is watched for.
    """

    def __init__(self, rounds: int = 3, seconds: float = 4, predictions: int = 1_000_000) -> None:
        """Start nothing yet."""
        self.rounds = rounds
        self.seconds = seconds
        self.predictions = predictions
        self._open = ExitStack()
        self._number = itertools.count(1)

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            folder = opening.enter_context(tempfile.TemporaryDirectory(prefix="warren-bench-"))
            self.folder = Path(folder)
            (self.folder / "rabbitmq").mkdir()
            node = Broker.on_free_ports(self.folder / "rabbitmq").node
            broker = Broker(replace(node, statistics_ms=STATISTICS_MS))
            self.broker = opening.enter_context(broker)
            server = S3Server.on_free_port(self.folder / "s3")
            self.s3 = opening.enter_context(server).s3
            self._database = f"sqlite:///{self.folder}/warren.db"
            migrate({"DATABASE_URL": self._database})
            self._open = opening.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    @functools.cached_property
    def model_id(self) -> str:
        """The forest of the README, trained when it is first asked for; S3 keeps it for all."""
        with self._processes(1, 2, {}) as stack:
            warren = Warren(f"http://127.0.0.1:{stack.settings['PORT']}")
            warren.datasets.upload(diabetes().encode(), "diabetes")
            model_id = str(warren.request("POST", "/train", TRAIN)["message"]["model_id"])
            follow(warren, model_id, TRAIN_SECONDS)
        return model_id

    @functools.cached_property
    def key(self) -> str:
        """An API key for the producers that need one."""
        command = ("app.cli", "keys", "create", "--name", "bench", "--scope", "predict")
        return run_module({"DATABASE_URL": self._database}, *command).strip()

    @functools.cached_property
    def onnx(self) -> Path:
        """The model's file, as Warren has exported it: float64 input "number" [rows, 9]."""
        (found,) = (self.s3.folder / self.s3.bucket / "models" / self.model_id).rglob("model.onnx")
        return Path(shutil.copy(found, self.folder / "model.onnx"))

    def bucket(self) -> Any:
        """Return the bucket, as boto3 has it. Its folder is no way in: the server caches it."""
        return buckets.resource(self.s3.settings()).Bucket(self.s3.bucket)

    @property
    def body(self) -> bytes:
        """The body of one `POST /predict`, the README's example."""
        return json.dumps({"model_id": self.model_id, "input_data": ROW}).encode()

    @contextmanager
    def stack(
        self,
        consumers: int = 1,
        threads: int = 2,
        producer: Sequence[str] = PRODUCER,
        **settings: str,
    ) -> Iterator[Stack]:
        """Run a producer and consumers on a virtual host of their own.

        `producer` is its module and the arguments of this. `settings` are environment variables
        that go before the bench's. The model is trained and in S3, and no consumer has loaded it
        yet.
        """
        model_id = self.model_id
        with self._processes(consumers, threads, settings, producer) as stack:
            yield replace(stack, model_id=model_id, body=self.body)

    @contextmanager
    def _processes(
        self,
        consumers: int,
        threads: int,
        changes: dict[str, str],
        producer: Sequence[str] = PRODUCER,
    ) -> Iterator[Stack]:
        (port,) = ports.unused(1)
        with self.vhost() as vhost, self.children("warren") as children:
            settings = {
                **self.settings(vhost),
                "DATABASE_URL": self._database,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                **changes,
            }

            def program(name: str, *module: str) -> Program:
                # Not in the checkout, whose .run/env has no say here.
                made = application(name, list(module), {**settings, "PYTHONPATH": str(ROOT)})
                return replace(made, folder=self.folder)

            def consume(number: int) -> bool:
                # It has threads that train, score parts and predict, and one of batch jobs.
                wanted = (3 * threads + 1) * number
                return children.log.read_text().count(" consuming queue.model.") >= wanted

            consumer = ("app.consumer.consumer", "--num_threads", str(threads))
            consumer_pids = tuple(
                children.start(
                    program(f"consumer-{number}", *consumer),
                    functools.partial(consume, number),
                    START_SECONDS,
                )
                for number in range(1, consumers + 1)
            )
            url = f"http://127.0.0.1:{port}"
            producer_pid = children.start(
                program("producer", *producer),
                lambda: answers(f"{url}/health"),
                START_SECONDS,
            )
            yield Stack(
                url=url,
                settings=settings,
                model_id="",
                body=b"",
                producer_pid=producer_pid,
                consumer_pids=consumer_pids,
                log=children.log,
            )

    def settings(self, vhost: str) -> dict[str, str]:
        """Name what a client of this broker and this S3 finds in its environment."""
        return {
            **self.broker.node.settings(),
            **self.s3.settings(),
            "RABBITMQ_VHOST": vhost,
            "HOME": str(self.folder),
        }

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """Make a virtual host with the product's queues, and remove it."""
        name = self.broker.new_vhost(f"bench-{next(self._number)}")
        try:
            yield name
        finally:
            self.broker.delete_vhost(name)

    @contextmanager
    def children(self, name: str) -> Iterator[Children]:
        """Start programs with this; they end with the block."""
        children = Children(self.folder / f"{name}-{next(self._number)}.log")
        try:
            yield children
        finally:
            children.stop()


def answers(url: str) -> bool:
    """Tell whether a GET is answered with success."""
    try:
        return httpx2.get(url, trust_env=False, timeout=5).is_success
    except httpx2.TransportError:
        return False


def diabetes() -> str:
    """Return scikit-learn's data set as a CSV."""
    return str(load_diabetes(as_frame=True).frame.to_csv(index=False))
