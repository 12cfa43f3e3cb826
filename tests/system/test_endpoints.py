"""Remote models of every bad sort, called by a real consumer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, INVOKE_QUEUE
from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.registry import CachedModelRegistry
from devstack.ports import unused
from tests.support.endpoints import KEY, KEY_ID, Fleet, Stranger
from tests.system.support.amqp import RpcClient
from tests.system.support.client import is_problem, predict
from tests.system.support.processes import ALONE, Process, Stack, until

TOKEN = "t0ken-of-the-test-suite"  # a secret
ROW = {"a": 1.5}
COMMAND = (*ALONE, "--invoke", "1000")
MEGABYTE = 1_000_000


@dataclass
class Remote:
    """A stack whose consumers may call the stranger, and what registers its models."""

    stack: Stack
    peer: Stranger

    def settings(self) -> dict[str, str]:
        return {
            "INVOKE_HOSTS": self.peer.host,
            "INVOKE_SECRETS__TOKEN": TOKEN,
            "INVOKE_SECRETS__AWS": f"{KEY_ID}:{KEY}",
            "LOG_LEVEL": "DEBUG",
        }

    def consumer(self) -> Process:
        return self.stack.consumer(COMMAND, **self.settings())

    def model(self, path: str, **spec: Any) -> str:
        """Register a model once; return its id."""
        model_id = path.replace("/", "-").replace(".", "-") + "".join(sorted(spec))
        where = {} if "sagemaker" in spec or "url" in spec else {"url": f"{self.peer.url}/{path}"}
        jobs = JobStore(self.stack.environment["DATABASE_URL"])
        CachedModelRegistry(jobs).register(model_id, EndpointSpec(**where, **spec))
        jobs.close()
        return model_id

    def pair(self) -> str:
        model = {"endpoint_name": "pair", "endpoint_url": self.peer.url, "credentials": "aws"}
        return self.model("pair", sagemaker=model)

    @contextmanager
    def client(self) -> Iterator["Client"]:
        with self.stack.amqp() as connection:
            yield Client(connection)


class Client(RpcClient):
    """Asks models, one or many at once."""

    def model(self, model_id: str, **properties: Any) -> dict[str, Any]:
        """Return the reply of a model to a row."""
        return dict(
            self.call(INVOKE_QUEUE, {"model_id": model_id, "input_data": ROW}, **properties)[0]
        )

    def begin(self, *model_ids: str) -> None:
        """Ask many at once; `replies` waits for as many."""
        for model_id in model_ids:
            kept = self.responses
            self.ask(INVOKE_QUEUE, {"model_id": model_id, "input_data": ROW})
            self.responses = kept

    def on_response(self, ch: Any, method: Any, props: Any, body: bytes) -> None:
        self.corr_id = props.correlation_id  # all that come are ours
        super().on_response(ch, method, props, body)


@pytest.fixture(scope="module")
def peer() -> Iterator[Stranger]:
    with Stranger(pair=Fleet(2, 1.5)) as server:
        yield server


@pytest.fixture(scope="module")
def remote(world: Stack, peer: Stranger) -> Remote:
    return Remote(world, peer)


@pytest.fixture(scope="module")
def consumer(remote: Remote) -> Process:
    return remote.consumer()


@pytest.fixture
def client(remote: Remote, consumer: Process) -> Iterator[Client]:
    with remote.client() as made:
        yield made


@pytest.fixture
def alone(stack: Stack) -> Iterator[Remote]:
    """A stack and a stranger for one test."""
    with Stranger() as server:
        yield Remote(stack, server)


@pytest.fixture
def asking(alone: Remote) -> Iterator[Client]:
    """A client of that stack."""
    with alone.client() as made:
        yield made


HOSTILE = {
    "hang": ("deadline_exceeded", "no answer within 2 s"),
    "drip": ("deadline_exceeded", "no answer within 2 s"),
    "reset": ("endpoint_lost", "ended the connection"),
    "half": ("endpoint_lost", "ended the connection"),
    "noise": ("endpoint_failed", "does not speak HTTP"),
    "headers": ("endpoint_failed", "does not speak HTTP"),
    "redirect": ("endpoint_failed", "redirects are not followed"),
    "gzip": ("endpoint_failed", "Content-Encoding"),
    "large/length": ("endpoint_failed", "more than 4194304 bytes"),
    "large/chunks": ("endpoint_failed", "more than 4194304 bytes"),
    "says/NaN": ("endpoint_failed", "not valid JSON"),
    "says/html": ("endpoint_failed", "not valid JSON"),
    "status/500": ("endpoint_failed", "answers 500"),
    "status/503": ("endpoint_unavailable", "answers 503"),
    "status/422": ("invalid", "such luck"),
}


@pytest.mark.parametrize(("path", "says"), HOSTILE.items(), ids=HOSTILE)
def test_a_hostile_endpoint_is_told_of_within_its_time(
    remote: Remote, client: Client, path: str, says: tuple[str, str]
) -> None:
    kind, detail = says
    seconds = 2.0 if kind == "deadline_exceeded" else 30.0  # which no other may wait for
    begun = monotonic()
    reply = client.model(remote.model(path, seconds=seconds))
    assert monotonic() - begun < 10
    assert reply["status"] == "TASK_ERROR"
    assert reply["error"]["type"] == kind
    assert detail in reply["error"]["detail"]
    assert reply["error"]["detail"].isprintable()
    assert remote.peer.calls["internal"] == 0


def test_nobody_there_is_unavailable(stack: Stack, peer: Stranger) -> None:
    (port,) = unused(1)
    away = Remote(stack, peer)
    stack.consumer(COMMAND, INVOKE_HOSTS="127.0.0.1")
    with away.client() as client:
        reply = client.model(away.model("away", url=f"http://127.0.0.1:{port}"))
    assert reply["error"]["type"] == "endpoint_unavailable"


def test_answers_of_a_hundred_megabytes_cost_no_memory(
    remote: Remote, client: Client, consumer: Process
) -> None:
    model_ids = [remote.model(f"large/{kind}", seconds=20.0) for kind in ("length", "chunks")]
    client.begin(*model_ids)
    client.replies(2)
    before = consumer.peak()
    client.responses = []
    client.begin(*model_ids * 10)
    replies = client.replies(20)
    assert {each["error"]["type"] for each in replies} == {"endpoint_failed"}
    assert consumer.peak() < before + 120 * MEGABYTE  # twenty times 4, and not one of 100


def test_a_host_that_is_not_listed_is_not_called(remote: Remote, client: Client) -> None:
    with Stranger() as other:
        reply = client.model(remote.model("ok", url=f"{other.url}/ok"))
        assert reply["error"]["type"] == "invalid"
        assert "INVOKE_HOSTS" in reply["error"]["detail"]
        assert not other.calls


def test_secrets_are_in_no_log_and_no_answer(remote: Remote, client: Client) -> None:
    asked = len(remote.peer.requests)
    for status in (200, 404, 503):
        reply = client.model(remote.model(f"echo/{status}", secret={"name": "token"}))
        assert reply["status"] == "TASK_ERROR"
        assert TOKEN not in str(reply)
    sent = [each.headers.get("authorization") for each in remote.peer.requests[asked:]]
    assert sent == [f"Bearer {TOKEN}"] * 3
    client.model(remote.pair())
    output = remote.stack.output()
    assert TOKEN not in output
    assert KEY not in output


def test_a_secret_that_is_not_set_is_told_by_its_name(remote: Remote, client: Client) -> None:
    reply = client.model(remote.model("ok/absent", secret={"name": "absent"}))
    assert "INVOKE_SECRETS__ABSENT is not set" in reply["error"]["detail"]


def test_calls_of_two_instances_of_sagemaker_overlap(remote: Remote, client: Client) -> None:
    model_id = remote.pair()
    client.begin(*[model_id] * 4)
    replies = client.replies(4)
    assert [each["prediction"] for each in replies] == [1.5] * 4
    assert remote.peer.fleets["pair"].most == 2


def test_an_endpoint_that_hangs_keeps_no_other_from_answering(
    remote: Remote, client: Client
) -> None:
    hung = remote.model("hang", seconds=30.0, limit=3)
    well = remote.model("ok")
    client.begin(*[hung] * 20, *[well] * 50)
    replies = client.replies(50 + 14)  # six wait for the one that hangs
    assert sum(each["status"] == "TASK_COMPLETED" for each in replies) == 50
    assert {each["error"]["type"] for each in replies if "error" in each} == {"overloaded"}


def test_a_thousand_calls_wait_at_once(remote: Remote, client: Client) -> None:
    model_id = remote.model("think/1.0", limit=1000)
    begun = monotonic()
    client.begin(*[model_id] * 1000)
    replies = client.replies(1000)
    took = monotonic() - begun
    assert {each.get("prediction") for each in replies} == {1.5}
    assert took < 30  # ten at a time it is 100


def test_a_remote_model_answers_by_http_and_its_failure_is_a_problem(remote: Remote) -> None:
    _, http = remote.stack.producer(**remote.settings())
    assert predict(http, remote.model("ok"), ROW)["prediction"] == 1.5
    asked = {"model_id": remote.model("reset", seconds=30.0), "input_data": ROW}
    is_problem(http.post("/predict", json=asked), 502)


def test_a_consumer_that_is_asked_to_end_answers_what_it_has_begun(
    alone: Remote, asking: Client
) -> None:
    consumer = alone.consumer()
    asking.begin(alone.model("held"))
    until(lambda: alone.peer.calls["held"] == 1, "the call is under way")
    consumer.terminate()
    consumer.says("draining")
    alone.peer.released.set()
    (reply,) = asking.replies(1)
    assert reply["prediction"] == 1.5
    assert consumer.wait() == 0
    assert alone.stack.waiting(INVOKE_QUEUE) == 0


def test_a_consumer_whose_time_is_over_tells_of_what_it_had_begun(
    alone: Remote, asking: Client
) -> None:
    consumer = alone.stack.consumer(COMMAND, **alone.settings(), DRAIN_SECONDS="0.5")
    asking.begin(alone.model("hang"))
    until(lambda: alone.peer.calls["hang"] == 1, "the call is under way")
    consumer.terminate()
    (reply,) = asking.replies(1)
    assert "may have been carried out" in reply["error"]["detail"]
    assert consumer.wait() == 0
    assert alone.stack.waiting(INVOKE_QUEUE) == 0


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_call_of_a_killed_consumer_is_repeated_only_if_it_may_be(
    alone: Remote, asking: Client, idempotent: bool
) -> None:
    consumer = alone.consumer()
    asking.begin(alone.model("held", idempotent=idempotent))
    until(lambda: alone.peer.calls["held"] == 1, "the call is under way")
    consumer.kill()
    alone.consumer()
    if idempotent:
        until(lambda: alone.peer.calls["held"] == 2, "it is made again")
        alone.peer.released.set()
        assert asking.replies(1)[0]["prediction"] == 1.5
    else:
        (reply,) = asking.replies(1)
        assert "may have been carried out" in reply["error"]["detail"]
        assert alone.peer.calls["held"] == 1
    until(lambda: alone.stack.waiting(INVOKE_QUEUE) == 0, "nothing is left")
    assert alone.stack.waiting(DEAD_LETTER_QUEUE) == 0
