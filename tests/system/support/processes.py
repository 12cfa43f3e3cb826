"""The real producer and consumer as processes, and the world they share."""

import functools
import os
import signal
import ssl
import subprocess
import sys
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import httpx2
import pika
from pydantic import SecretStr

from app.settings import Settings
from devstack import buckets, ports
from devstack.layout import ROOT
from devstack.program import inherited, tail
from tests.support import waiting
from tests.support.family import family, statuses

SECONDS = 60.0  # far more than anything here takes on a busy machine
FINISH_SECONDS = 15.0

# coverage.py sets it for the processes that it measures, which write their data as they exit.
MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ

PRODUCER = ("-m", "app.producer.main")
CONSUMER = ("app/consumer/consumer.py", "--num_threads", "2")
ALONE = (*CONSUMER[:-1], "1")

# A test that is about a deadline sets its own.
PATIENT = {"TRAIN_WAIT": "30", "PREDICT_TIMEOUT": "30"}


until = functools.partial(waiting.until, seconds=SECONDS)


class Process:
    """A Python process that leads a group of its own and writes all it says into a file."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.environment = environment
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=inherited() | environment | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def output(self) -> str:
        return self.log.read_text()

    def says(self, text: str, times: int = 1) -> None:
        """Wait until its output holds a text."""

        def said() -> bool:
            ended = self._process.poll() is not None  # first: all it says has been written then
            seen = self.output().count(text) >= times
            assert seen or not ended, f"it has ended:\n{tail(self.log)}"
            return seen

        until(said, f"the process says {text!r}")

    def terminate(self) -> None:
        """Ask it to end, as `docker stop` does."""
        os.kill(self.pid, signal.SIGTERM)

    def interrupt(self) -> None:
        """Ask it and all it has started, as Ctrl-C does."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it alone, as a lack of memory does."""
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop its time: when this returns, none of its threads runs any more."""
        os.kill(self.pid, signal.SIGSTOP)
        # On a busy machine they go on until one of them has come to see the signal.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let its time go on."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self) -> int:
        """Return the status it ends with."""
        try:
            return self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{tail(self.log)}") from None

    def end(self) -> None:
        """Kill it and all it has started."""
        with suppress(ProcessLookupError):
            if MEASURED:
                self._finish()
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _finish(self) -> None:
        """Let all of them exit by itself, for some seconds."""
        os.killpg(self.pid, signal.SIGCONT)
        os.killpg(self.pid, signal.SIGTERM)
        deadline = monotonic() + FINISH_SECONDS
        while self.family() and monotonic() < deadline:
            sleep(0.05)

    def family(self) -> set[int]:
        """Return the ids of the living processes: itself and what it started."""
        return family(self.pid, statuses())

    def peak(self) -> int:
        """Return the most memory it ever had, in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


class Stack:
    """One Warren: a vhost, a bucket and a database, and the processes that share them.

    A context manager: the processes that it has started end on leaving.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._gates = folder / "gates"
        self._gates.mkdir()
        mine = {"HOME": str(self.home), "GATES": str(self._gates)}
        self.environment = {**every_default(), **PATIENT, **environment, **mine}
        self._folder = folder
        self._processes: list[Process] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """End all processes, also when one of them resists."""
        self._open.close()

    def start(self, command: tuple[str, ...], **settings: str) -> Process:
        """Start a process of our own code; `settings` go before the stack's."""
        log = self._folder / f"{len(self._processes)}.log"
        process = Process(command, {**self.environment, **settings}, log)
        self._open.callback(process.end)
        self._processes.append(process)
        return process

    def producer(
        self, ready: str = "connected to RabbitMQ", **settings: str
    ) -> tuple[Process, httpx2.Client]:
        """Start a producer, and a client for it."""
        (port,) = ports.unused(1)
        process = self.start(PRODUCER, PORT=str(port), **settings)
        scheme = "https" if process.environment["TLS_CERTIFICATE_FILE"] else "http"
        http = httpx2.Client(
            base_url=f"{scheme}://127.0.0.1:{port}",
            timeout=SECONDS,
            trust_env=False,
            verify=trusting(self.environment),
        )
        self._open.callback(http.close)
        process.says("Uvicorn running")
        process.says(ready)
        return process, http

    def consumer(self, command: tuple[str, ...] = CONSUMER, **settings: str) -> Process:
        """Start a consumer and wait until all its threads consume."""
        process = self.start(command, **settings)
        consumes(process, *counts(command))
        return process

    def pair(
        self, command: tuple[str, ...] = CONSUMER, **settings: str
    ) -> tuple[Process, Process, httpx2.Client]:
        """Start a consumer and a producer side by side."""
        consumer = self.start(command, **settings)
        producer, http = self.producer(**settings)
        consumes(consumer, *counts(command))
        return producer, consumer, http

    def let_go(self, job_id: str) -> None:
        """Let a job go on that a consumer of `tests.system.support.gated` holds."""
        (self._gates / job_id).touch()

    def amqp(self) -> pika.BlockingConnection:
        """Connect to the broker as any client would."""
        return pika.BlockingConnection(self.parameters())

    def parameters(
        self, user: str = "", password: str = "", **options: Any
    ) -> pika.ConnectionParameters:
        """Return how any client connects to the broker, or one that is a user of its own."""
        of = self.environment
        login = pika.PlainCredentials(
            user or of["RABBITMQ_USER"], password or of["RABBITMQ_PASSWORD"]
        )
        address = of["RABBITMQ_HOST"], int(of["RABBITMQ_PORT"]), of["RABBITMQ_VHOST"]
        if of["RABBITMQ_TLS"] == "on":
            options["ssl_options"] = pika.SSLOptions(trusting(of), of["RABBITMQ_HOST"])
        return pika.ConnectionParameters(*address, login, **options)

    def waiting(self, queue: str) -> int:
        """Count the messages that a queue could deliver."""
        with self.amqp() as connection:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)

    @functools.cached_property
    def bucket(self) -> Any:
        """The bucket, as boto3 has it."""
        return buckets.resource(self.environment).Bucket(self.environment["S3_BUCKET_NAME"])

    def stored(self, job_id: str) -> set[int]:
        """Return the attempts of a job that have a model in the bucket, or a part of one."""
        files = self.bucket.objects.filter(
            Prefix=f"{self.environment['S3_MODEL_PATH_NAME']}{job_id}/"
        )
        return {int(each.key.split("/")[-2]) for each in files}

    def output(self) -> str:
        """Return what all processes have said."""
        return "".join(process.output() for process in self._processes)


def trusting(environment: dict[str, str]) -> ssl.SSLContext:
    """Return the context of a client that trusts the authority of the stack's broker."""
    return ssl.create_default_context(cafile=environment["RABBITMQ_CA_FILE"] or None)


def trusted(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables by which our client, httpx and curl trust the authority of a stack."""
    file = environment["RABBITMQ_CA_FILE"]
    return (
        dict.fromkeys(("WARREN_CA_FILE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), file) if file else {}
    )


def consumes(consumer: Process, threads: int, invokes: bool = True) -> None:
    """Wait until a consumer's threads are at work: so many of each kind, and the one that calls."""
    consumer.says(" consuming queue.model.", times=3 * threads + 1)
    if invokes:
        consumer.says("waiting on queue.model.invoke")


def counts(command: tuple[str, ...]) -> tuple[int, bool]:
    """Return how many threads of each kind a consumer's command asks for, and whether it calls."""
    options = {name.replace("-", "_"): value for name, value in pairwise(command)}
    return int(options["__num_threads"]), options.get("__invoke") != "0"


def every_default() -> dict[str, str]:
    """Return the default of every setting, so that no `.run/env` of the checkout has a say."""
    defaults = {}
    for name, field in Settings.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if value is None and name.startswith("rabbitmq_"):
            defaults[name.upper()] = ""  # no user of its own
        elif value is not None:  # the others name a server, and tests have their own
            secret = isinstance(value, SecretStr)
            defaults[name.upper()] = value.get_secret_value() if secret else str(value)
    return defaults
