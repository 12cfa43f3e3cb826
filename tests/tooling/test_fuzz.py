"""The fuzzing is a test as well: it must repeat itself, and see what it looks for."""

import asyncio
import dataclasses
import json
from contextlib import suppress
from random import Random

import httpx2
import onnx
import pika
import pytest
from pydantic import ValidationError

from app import errors
from app.models.endpoint import EndpointSpec
from app.producer.schemas.requests import ParallelBody
from app.protocol.content_encoding import decode
from tests.fuzz import (
    amqp,
    bodies,
    calls,
    echo,
    encodings,
    messages,
    models,
    oddities,
    params,
    properties,
    serving,
    trainings,
    uploads,
    web,
)
from tests.fuzz.__main__ import case, shown, span, span_of
from tests.fuzz.bodies import Pairs, Text
from tests.fuzz.calls import Call
from tests.fuzz.warren import DELIBERATE, TRACEBACK
from tests.fuzz.web import Answer, Failed
from tests.support import tiny

PROBLEM = {"content-type": "application/problem+json"}
GET = Call("one", b"GET / HTTP/1.1\r\n\r\n")


def test_a_seed_and_a_number_name_a_case():
    first = [case(7, number) for number in range(300)]

    assert [case(7, number) for number in reversed(range(300))] == first[::-1]
    assert [case(8, number) for number in range(300)] != first
    assert len({repr(each) for each in first}) > 250
    assert all(shown(each) for each in first)


def test_both_doors_get_their_share():
    http = sum(isinstance(case(7, number), Call) for number in range(1000))

    assert 600 < http < 800


@pytest.mark.parametrize(
    "value", [None, 1, "ü", [], {}, [1, {"a": ["b", {}]}], {"a": {"b": [None, True, 1.5]}}]
)
def test_what_json_can_say_is_written_as_json(value):
    assert json.loads(bodies.write(value)) == value


def test_what_json_cannot_say_is_written_too():
    value = {"a": Text("NaN"), "b": Pairs([("c", 1), ("c", [Text("1e999")])])}

    assert bodies.write(value) == '{"a":NaN,"b":{"c":1,"c":[1e999]}}'


def test_bodies_are_valid_only_as_often_as_asked():
    seed = {"a": [1, 2], "b": {"c": "d"}}
    made = [bodies.body(Random(number), seed, 0.5) for number in range(400)]

    valid = sum(each == json.dumps(seed).encode() for each in made)
    assert 150 < valid < 260
    assert seed == {"a": [1, 2], "b": {"c": "d"}}


def test_properties_are_read_as_they_were_written():
    values = {
        "cluster_id": b"z",
        "content_type": b"text/plain",
        "headers": properties.table(properties.entry(b"a", b"I", b"\0\0\0\1")),
        "priority": b"\7",
        "timestamp": b"\0" * 7 + b"\1",
        "reply_to": b"\xff",
    }

    read = pika.BasicProperties().decode(properties.encode(values))

    assert (read.content_type, read.priority, read.timestamp) == ("text/plain", 7, 1)
    assert (read.headers, read.reply_to, read.cluster_id) == ({"a": 1}, b"\xff", "z")
    assert read.correlation_id is None


def test_headers_are_tables_to_their_last_byte():
    for number in range(500):
        written = properties.headers(Random(number))
        assert int.from_bytes(written[:4], "big") == len(written) - 4


def test_tables_nest_as_deep_as_asked():
    values, _ = pika.data.decode_table(properties.nested(3), 0)

    assert values == {"t": {"t": {"t": {}}}}


def test_an_endless_fit_has_limits_or_no_data():
    for number in range(200):
        asked = params.request(Random(number), "tiny")
        assert asked["dataset_id"] == "nowhere" or asked["max_seconds"] <= 1


def test_many_compressed_bodies_are_what_they_say():
    seen = []
    for number in range(300):
        encoding, body = encodings.encode(Random(number), b'{"a": 1}')
        with suppress(errors.WarrenError):
            seen.append(decode(body, encoding.decode("latin-1"), 1000))

    assert seen.count(b'{"a": 1}') > 150
    assert len(seen) < 280


def test_a_body_in_chunks_ends_with_an_empty_one():
    made = {
        calls.in_chunks(Random(number), b"abc").partition(b"\r\n0\r\n")[2] for number in range(50)
    }

    assert made == {each + b"\r\n" for each in oddities.TRAILERS}


def test_some_messages_are_many_predictions():
    made = [messages.lines(Random(number)) for number in range(100)]

    assert {each.queue for each in made} == {"queue.model.predict"}
    assert max(each.body.count(b"\n") for each in made) >= 63
    assert min(each.body.count(b"\n") for each in made) == 0
    assert all(b"application/x-ndjson" in each.properties for each in made)


def test_no_message_is_larger_than_a_frame():
    for number in range(2000):
        assert len(messages.make(Random(number)).properties) < 131_000


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, PROBLEM, b'{"detail": "a", "status": 500}'),
        Answer(503, PROBLEM, b'{"detail": "a", "status": 503}'),
        Answer(200, {}, b"Traceback (most recent call last)"),
        Answer(200, {"content-type": "application/json"}, b'{"a": NaN}'),
        Answer(200, {"content-type": "application/json"}, b'{"a"'),
        Answer(200, {"content-type": "application/jsonlines"}, b'{"a": 1}\n{"a"}\n'),
        Answer(200, {"content-type": "application/jsonlines"}, b'{"a": 1}\n{"a": 1}'),
        Answer(200, {}, b"root:x:0:0"),
        Answer(404, {"content-type": "text/plain"}, b"Not Found"),
        Answer(202, {"location": "//evil.example/jobs/a"}, b""),
        Answer(202, {"location": "https://evil.example/jobs/a"}, b""),
        Answer(202, {"location": "/../jobs/a"}, b""),
        Answer(404, PROBLEM, b'{"status": 404}'),
        Answer(404, PROBLEM, b'{"status": 400, "detail": "a"}'),
    ],
    ids=repr,
)
def test_an_answer_that_must_not_be_fails(answer):
    with pytest.raises(Failed):
        web.check(GET, answer)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"content-type": "application/json"}, b'{"a": 1}'),
        Answer(200, {"content-type": "application/jsonlines"}, b'{"a": 1}\n{"a": 1}\n'),
        Answer(404, PROBLEM, b'{"detail": "a", "status": 404}'),
        *(
            Answer(400, PROBLEM, b'{"detail": "%s", "status": 400}' % said.encode())
            for said in web.NO_HTTP
        ),
        Answer(202, {"location": "/jobs/a"}, b""),
        Answer(202, {"location": "/tools/warren/models/a"}, b""),
    ],
    ids=repr,
)
def test_an_answer_that_may_be_does_not(answer):
    web.check(GET, answer)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", b"a"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            b"abc",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nall", b"all"),
    ],
)
async def test_answers_are_read(sent, body):
    reader = asyncio.StreamReader()
    reader.feed_data(sent)
    reader.feed_eof()

    answer = await web.read(reader, head=False)

    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("twice", [False, True])
def test_an_answer_that_nobody_asked_for_fails(twice):
    async def serve(reader, writer):
        asked = 0
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked += 1
                name = head.split(b" ")[1]
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)
                writer.write(answer * (2 if twice and asked == 2 else 1))
        writer.close()
        left.set()

    async def drive():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            await web.drive(server.sockets[0].getsockname(), [(n, GET) for n in range(4)], seen)
            await left.wait()

    left = asyncio.Event()
    seen = web.Seen()
    asyncio.run(drive())
    assert len(seen.failures) == twice


def test_offers_and_prefixes_are_sent():
    made = [calls.make(Random(number)).raw.lower() for number in range(2000)]

    assert sum(b"\r\nupgrade: " in each for each in made) > 50
    assert sum(b"\r\nx-forwarded-prefix: " in each for each in made) > 50


@pytest.mark.parametrize(("text", "numbers"), [("17", (17, 17)), ("1000-1999", (1000, 1999))])
def test_one_case_or_a_span_can_be_repeated(text, numbers):
    assert span(text) == numbers


@pytest.mark.parametrize(("text", "numbers"), [("0", []), ("3", [0, 1, 2]), ("17-18", [17, 18])])
def test_drawn_cases_are_counted_or_named(text, numbers):
    assert list(span_of(text)) == numbers


def test_drawn_graphs_are_valid_and_use_every_step():
    drawn = [models.draw(Random(number)) for number in range(200)]

    assert drawn == [models.draw(Random(number)) for number in range(200)]
    kinds = set()
    for each in drawn:
        graph = onnx.load_from_string(each.file)
        onnx.checker.check_model(graph)
        kinds |= {node.op_type for node in graph.graph.node}
    assert {"ConstantOfShape", "Loop", "NonMaxSuppression", "Tile", "TopK", "MatMul"} <= kinds


def test_drawn_trainings_are_requests_for_their_data():
    for number in range(50):
        drawn = trainings.draw(Random(number))
        columns = trainings.frame({**drawn, "rows": 5}).columns
        assert [*trainings.request(drawn).features, "target"] == list(columns)


SMALL = {
    "estimator": "knn_classifier",
    "params": {},
    "calibrate": None,
    "labels": 3,
    "rows": 60,
    "columns": 2,
    "categories": 0,
    "asked": 10_000,
    "seed": 1,
}


FOREST = {"estimator": "random_forest_classifier", "params": {"n_estimators": 300}}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "scikit-learn"),
        ({"labels": 20_000, "rows": 30_000}, "bad_data"),
        ({**FOREST, "params": {"n_estimators": 10**9}}, "invalid"),
    ],
    ids=["served", "labels", "trees"],
)
def test_a_training_that_keeps_its_bounds_is_counted(changes, outcome):
    bounds = trainings.Bounds(dataclasses.replace(trainings.LIMITS, seconds=120.0))

    assert bounds.run({**SMALL, **changes}) == []
    assert bounds.outcomes == {outcome: 1}


def test_a_training_that_breaks_a_bound_is_told():
    (said,) = trainings.Bounds(libraries=-trainings.LIMITS.memory).run({**SMALL, **FOREST})

    assert said.startswith("the fit took ")


LOG = """INFO all is well
Traceback (most recent call last):
  File "/warren/app/training/{}.py", line 150, in main
    fitted = fit()

ValueError: too many
INFO all is well
"""


@pytest.mark.parametrize(("module", "deliberate"), [("fit_child", True), ("fit_process", False)])
def test_a_traceback_is_deliberate_when_a_fit_gave_up(module, deliberate):
    (found,) = TRACEBACK.findall(LOG.format(module))

    assert found.endswith("ValueError: too many")
    assert bool(DELIBERATE.search(found)) is deliberate


def test_every_call_that_serves_is_sent_and_often_as_it_should_be():
    made = [calls.make(Random(number)) for number in range(4000)]

    kinds = {"serve", "parallel", "sync_async", "invoke", "register", "upload model", "describe"}
    assert kinds <= {each.kind for each in made}
    bodies_of = [serving.parallel(Random(number)) for number in range(200)]
    assert sum(_whole(each) for each in bodies_of) > 60


def _whole(body: bytes) -> bool:
    try:
        ParallelBody.model_validate_json(body)
    except ValidationError:
        return False
    return True


def test_messages_go_to_every_queue_of_work():
    queues = {messages.make(Random(number)).queue for number in range(500)}

    assert set(amqp.OF_WORK) <= queues


def test_a_form_has_its_parts_between_boundaries():
    made = [uploads.uploaded(Random(number)) for number in range(300)]

    assert all(kind.endswith(uploads.BOUNDARY) for _, kind in made)
    both = [form for form, _ in made if form.count(b"--b0undary") == 3]
    assert len(both) > 150
    assert sum(tiny.sums() in form and b'"holds": "values"' in form for form in both) > 20


def test_no_endpoint_that_is_registered_may_be_called():
    for endpoint in uploads.ENDPOINTS:
        with pytest.raises(errors.Invalid):
            EndpointSpec.model_validate(endpoint).check_host("127.0.0.1:10")


def test_only_who_gives_models_no_time_may_be_told_that_it_was_short():
    late = Answer(504, PROBLEM, b'{"detail": "a", "status": 504}')

    web.check(Call("parallel", b"POST / HTTP/1.1\r\n\r\n"), late)
    with pytest.raises(Failed):
        web.check(GET, late)


def test_a_detail_with_a_word_of_python_is_a_failure_unless_the_client_sent_it():
    answer = Answer(422, PROBLEM, b'{"detail": "a: not a valid dict", "status": 422}')

    web.check(Call("predict", b"POST / HTTP/1.1\r\n\r\ndict"), answer)
    with pytest.raises(Failed, match="dict"):
        web.check(GET, answer)


def test_the_remote_model_answers_as_many_as_it_is_asked():
    with echo.served() as address:
        for asked, answer in (({}, 1.0), ([{}, {}], [1.0, 1.0]), (["a"], [1.0])):
            found = httpx2.post(f"http://{address}/", json={"input_data": asked}, trust_env=False)
            assert found.json() == {"prediction": answer}
