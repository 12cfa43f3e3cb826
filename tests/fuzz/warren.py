"""A whole Warren to be fuzzed, and what must be true of it all the time."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.amqp.topology import TRAIN_QUEUE
from devstack.demo import ROW, TRAIN
from devstack.rabbitmq import Broker
from devstack.s3 import S3Server
from devstack.stack import migrate
from tests.fuzz import echo
from tests.fuzz.bodies import CANARY
from tests.fuzz.calls import CSV, TINY
from tests.fuzz.serving import COLOURS, ECHO, SUMS, base64_of
from tests.support import tiny
from tests.support.postgres import Postgres
from tests.support.words import foreign_words
from tests.system.support.client import predict, reached, train, upload
from tests.system.support.processes import Process, Stack, until

SETTINGS = {"TRAIN_WAIT": "1", "PREDICT_TIMEOUT": "30", "MAX_DATASET": "1000000"}
MEMORY = 1_000_000_000  # bytes that a producer never needs, whatever it is sent
CHEAP = {"estimator": "ridge"}

# A fit that a library gives up prints why; it does so in the child, which is the last to be named.
TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*[^ \n].*")
DELIBERATE = re.compile(r'training/fit_child\.py", line \d+, in main\n')


class Warren:
    """The processes, a client, and the answer that the canary gave when all was well.

    `remote` is the address of the remote model.
    """

    def __init__(self, stack: Stack, broker: Broker, remote: str) -> None:
        self.stack = stack
        self._broker = broker
        self.producer, self.consumer, self.http = stack.pair(**SETTINGS, INVOKE_HOSTS=remote)
        self.address = ("127.0.0.1", int(self.http.base_url.port or 0))
        self._read = {self.producer: 0, self.consumer: 0}
        self.deliberate = 0
        upload(self.http)
        upload(self.http, TINY, CSV.decode())
        with stack.amqp() as connection:
            wanted = json.dumps({**TRAIN, **CHEAP, "model_id": CANARY})
            connection.channel().basic_publish("", TRAIN_QUEUE, wanted.encode())
        until(lambda: self.http.get(f"/jobs/{CANARY}").is_success, "the canary's job")
        reached(self.http, CANARY, "TASK_COMPLETED")
        self._put(SUMS, files=tiny.parts(tiny.ROWS, tiny.sums()))
        self._put(COLOURS, files=tiny.parts(tiny.COLOURS, tiny.colours()))
        # As many calls at once as there may be messages: none is turned away.
        endpoint = {"kind": "endpoint", "url": f"http://{remote}/", "limit": 10_000, "sample": ROW}
        self._put(ECHO, json=endpoint)
        self._song = predict(self.http, CANARY)["prediction"]

    def callback_queue(self) -> str:
        """Return the name of the queue on which the producer awaits replies."""
        vhost = quote(self.stack.environment["RABBITMQ_VHOST"], safe="")
        found = self._broker.api("GET", f"queues/{vhost}")
        (name,) = [each["name"] for each in found if each["name"].startswith("amq.gen")]
        return str(name)

    def canary(self) -> None:
        """Raise unless a known good training and a known good prediction work."""
        model_id = train(self.http, **CHEAP)
        reached(self.http, model_id, "TASK_COMPLETED")
        for each in (CANARY, model_id):
            self.answers(each)
        for each, row, wanted in ((SUMS, {"a": 1, "b": 2}, 3.0), (ECHO, ROW, echo.ANSWER)):
            found = predict(self.http, each, row)["prediction"]
            assert found == wanted, f"{each} answers {found} instead of {wanted}"
        names = {"sync_model_id": COLOURS, "async_model_id": COLOURS}
        asked = {**names, "image_data": base64_of(tiny.image())}
        message = self.http.post("/predict/sync_async", json=asked).json()["message"]
        job = reached(self.http, message["job_id"], "TASK_COMPLETED")
        both = message["prediction"], job["result"]["prediction"], job["disagree"]
        assert both == ("red", "red", False), f"{COLOURS} answers {both}"

    def answers(self, model_id: str = CANARY) -> None:
        """Raise unless a model, the canary or its like, predicts what the canary did."""
        found = predict(self.http, model_id, ROW)["prediction"]
        assert found == self._song, f"{model_id} answers {found} instead of {self._song}"

    def _put(self, model_id: str, **content: Any) -> None:
        answer = self.http.put(f"/models/{model_id}", **content)
        assert answer.is_success, answer.text

    def look(self) -> list[str]:
        """Return the faults of the processes, and of what they logged since the last call."""
        wrong = []
        for name, process in (("producer", self.producer), ("consumer", self.consumer)):
            if process.pid not in process.family():
                wrong.append(f"the {name} has ended")
                continue
            if process is self.producer and process.peak() > MEMORY:
                wrong.append(f"the producer has had {process.peak() // 10**6} MB")
        for process in self._read:
            wrong += self._said(process)
        return wrong + self._failed_jobs()

    def _failed_jobs(self) -> list[str]:
        """Return the errors of jobs that hold words of Python."""
        failed = self.http.get("/jobs", params={"state": "TASK_ERROR", "limit": 1000}).json()
        details = [str(each["error"]["detail"]) for each in failed["jobs"] if each.get("error")]
        return [f"the error of a job: {each}" for each in details if foreign_words(each)]

    def _said(self, process: Process) -> list[str]:
        with process.log.open("rb") as log:
            log.seek(self._read[process])
            new = log.read()
        self._read[process] += len(new)
        text = new.decode(errors="replace")
        wrong = []
        for found in TRACEBACK.findall(text):
            if DELIBERATE.search(found):
                self.deliberate += 1
            else:
                wrong.append(found)
        wrong += re.findall(r".* (?:CRITICAL|ERROR) .*", text)
        wrong += re.findall(r".* lost RabbitMQ .*|.*RabbitMQ cannot be reached.*", text)
        return wrong


def resident(process: Process) -> int:
    """Return the memory that a process has, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@contextmanager
def running(folder: Path, database: str) -> Iterator[Warren]:
    """Start everything in a folder; end it."""
    with ExitStack() as parts:
        broker = parts.enter_context(Broker.on_free_ports(folder / "rabbitmq"))
        s3 = parts.enter_context(S3Server.on_free_port(folder / "s3" / "data"))
        url = f"sqlite:///{folder / 'warren.db'}"
        if database == "postgresql":
            url = parts.enter_context(Postgres(folder)).new_database()
        environment = {
            **broker.node.settings(),
            **s3.s3.settings(),
            "RABBITMQ_VHOST": broker.new_vhost(),
            "DATABASE_URL": url,
        }
        migrate(environment)
        stack = parts.enter_context(Stack(environment, folder))
        yield Warren(stack, broker, parts.enter_context(echo.served()))
