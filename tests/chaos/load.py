"""The clients: arrivals by a seeded clock that does not wait for answers (an open loop)."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from time import monotonic, sleep, time
from typing import Any
from uuid import UUID

import httpx2
import pika
from pika.exceptions import AMQPError

from devstack.demo import ROW, TRAIN
from tests.chaos import batches
from tests.chaos.journal import Journal

CLIENTS = 64
PATIENCE = 30.0  # seconds a client waits for an answer
TRAIN_QUEUE = "queue.model.train"
REMOTE = ("again", "once")  # models

#: How often a job is a training, a prediction or a batch job, in a hundred.
KINDS = {"train": 76, "async": 20, "batch": 4}
#: How often a training is of which sort.
TRAININGS = {"quick": 82, "folds": 6, "medium": 4, "long": 1, "bad": 7}
#: And a prediction: of a model that is run here, of a remote one that may be called again or only
#: once, or of what the model does not know.
PREDICTIONS = {"here": 30, "again": 30, "once": 30, "bad": 10}
#: How often it comes in which way; only trainings do by AMQP.
WAYS = {"plain": 78, "key": 7, "delete": 6, "amqp": 9}
PATHS = {"train": "/train", "async": "/predict/async", "batch": "/predict/batch"}


def draw(chance: Random, of: dict[str, int]) -> str:
    return chance.choices(list(of), list(of.values()))[0]


@dataclass(frozen=True)
class Wish:
    """A job that a client wants: `number` is what a remote model has to answer."""

    what: str
    sort: str
    body: dict[str, Any]
    number: int | None = None


def wish(chance: Random, model: str) -> Wish:
    """Draw a job; `model` answers the predictions of no remote one."""
    match draw(chance, KINDS):
        case "train":
            return training(chance)
        case "batch":
            return Wish("batch", "quick", batches.BODY)
    return prediction(chance, model)


def prediction(chance: Random, model: str) -> Wish:
    sort, number = draw(chance, PREDICTIONS), chance.getrandbits(40)
    if sort in REMOTE:
        return Wish("async", sort, {"model_id": sort, "input_data": {sort: number}}, number)
    row = ROW if sort == "here" else {"no_such_column": 1}
    return Wish("async", sort, {"model_id": model, "input_data": row})


def training(chance: Random) -> Wish:
    sort = draw(chance, TRAININGS)
    params: dict[str, Any] = {"n_estimators": chance.randint(5, 30), "max_depth": 3}
    body = {**TRAIN, "params": params}
    if sort == "medium":
        params["n_estimators"] = chance.randint(200, 400)
    elif sort == "long":  # some seconds on one core
        params |= {"n_estimators": chance.randint(3000, 8000), "max_depth": 1}
    elif sort == "folds":  # a few that are asked for again and again, and have to end alike
        params["n_estimators"] = chance.choice([20, 40])
        body["cv"] = {"folds": 5, "repeats": chance.choice([1, 2])}
    elif sort == "bad":
        body["features"] = [*TRAIN["features"], "no_such_column"]
    return Wish("train", sort, body)


class Load:
    """Clients that send until `stop`; everything they see goes into the journal."""

    def __init__(
        self,
        address: str,
        login: dict[str, str],
        journal: Journal,
        seed: int,
        model: str = "latest",
    ) -> None:
        """`model` answers the predictions of no remote one."""
        self._chance = Random(seed)
        self._model = model
        self._login = login
        self._journal = journal
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS, "client")
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=CLIENTS)
        self._http = httpx2.Client(
            base_url=address, timeout=PATIENCE, limits=limits, trust_env=False
        )

    def start(self, rate: float) -> None:
        """Send so many jobs a second on average."""
        self._thread = threading.Thread(target=self._arrivals, args=(rate,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait for the requests in flight."""
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown()
        self._http.close()

    def _arrivals(self, rate: float) -> None:
        """Be the clock. All chance is drawn here, so that a seed always asks for the same jobs."""
        due = monotonic()
        while not self._stopping.wait(max(0.0, due - monotonic())):
            due += self._chance.expovariate(rate)
            wanted = wish(self._chance, self._model)
            way = draw(self._chance, WAYS)
            if wanted.what != "train" and way == "amqp":
                way = "plain"
            name = UUID(int=self._chance.getrandbits(128)).hex
            pause = self._chance.uniform(0, 1.5)
            self._pool.submit(getattr(self, f"_{way}"), wanted, name, pause)
            if self._chance.random() < 0.1:
                self._pool.submit(self._predict)

    def _ask(self, method: str, path: str, entry: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Send a request and write down what became of it; status 0 is no answer at all."""
        at, begun = time(), monotonic()
        try:
            answer = self._http.request(method, path, **more)
            status, found = answer.status_code, answer.json()
        except (httpx2.TransportError, json.JSONDecodeError) as error:
            status, found = 0, {"detail": repr(error)}
        entry = {**entry, "at": at, "seconds": monotonic() - begun, "status": status}
        if status == 202:
            message = found["message"]
            entry["id"] = message.get("job_id", message["model_id"])
        elif status >= 500 or status in (0, 422):
            entry["detail"] = str(found.get("detail"))[:300]
        self._journal.write(**entry)
        return entry

    def _post(self, wanted: Wish, **more: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": more["key"]} if "key" in more else {}
        entry = {"what": wanted.what, "sort": wanted.sort, "number": wanted.number, **more}
        return self._ask("POST", PATHS[wanted.what], entry, json=wanted.body, headers=headers)

    def _plain(self, wanted: Wish, name: str, pause: float) -> None:
        self._post(wanted)

    def _key(self, wanted: Wish, name: str, pause: float) -> None:
        """Ask until it is accepted, as a client with a key may, and once more for good measure."""
        for _ in range(20):
            if self._post(wanted, key=name)["status"] == 202 or self._stopping.is_set():
                break
            self._stopping.wait(1)
        sleep(pause)
        self._post(wanted, key=name)

    def _delete(self, wanted: Wish, name: str, pause: float) -> None:
        entry = self._post(wanted)
        if "id" in entry:
            sleep(pause)
            self._ask("DELETE", f"/jobs/{entry['id']}", {"what": "delete", "job": entry["id"]})

    def _predict(self) -> None:
        body = {"model_id": self._model, "input_data": ROW}
        self._ask("POST", "/predict", {"what": "predict"}, json=body)

    def _amqp(self, wanted: Wish, name: str, pause: float) -> None:
        """Publish as a client that knows AMQP only; accepted is what the broker confirms.

        What is not confirmed is published again, once.
        """
        at, begun, status = time(), monotonic(), 0
        detail = None
        body = json.dumps({**wanted.body, "model_id": name}).encode()
        for _ in range(2):
            try:
                publish(self._login, TRAIN_QUEUE, body, message_id=f"message of {name}")
                status = 202
                break
            except (AMQPError, OSError) as error:
                detail = repr(error)
        entry = {"what": "amqp", "sort": wanted.sort, "at": at, "seconds": monotonic() - begun}
        self._journal.write(**entry, status=status, id=name, detail=detail)


def publish(login: dict[str, str], queue: str, *bodies: bytes, **properties: Any) -> None:
    """Publish messages and have each confirmed. Raises `AMQPError` or `OSError`."""
    who = pika.PlainCredentials(login["RABBITMQ_USER"], login["RABBITMQ_PASSWORD"])
    parameters = pika.ConnectionParameters(
        login["RABBITMQ_HOST"],
        int(login["RABBITMQ_PORT"]),
        login["RABBITMQ_VHOST"],
        who,
        blocked_connection_timeout=5,
        socket_timeout=5,
        stack_timeout=5,
    )
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        persistent = pika.BasicProperties(delivery_mode=2, **properties)
        for body in bodies:
            channel.basic_publish("", queue, body, persistent, mandatory=True)
