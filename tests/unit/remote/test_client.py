import asyncio
import json
import logging
import os
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from app import errors
from app.models.endpoint import EndpointSpec
from app.protocol.requests import PredictionInputs
from app.remote.client import RemoteModelClient
from app.settings import Settings
from examples.remote import signature
from tests.support.endpoints import KEY, KEY_ID, Stranger
from tests.support.remote_calls import ONE, ROW, TOKEN, TWO, at, sagemaker
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def test_one_row_is_asked_and_answered(endpoints, peer):
    assert await endpoints.predict("m", at(peer, "ok"), ONE, 20) == {"prediction": 1.5}
    (request,) = peer.requests
    assert json.loads(request.body) == {"input_data": ROW}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


async def test_rows_are_answered_by_a_list(endpoints, peer):
    assert await endpoints.predict("m", at(peer, "ok"), TWO, 20) == {"prediction": [1.5, 2.5]}


async def test_images_are_sent_as_they_came(endpoints, peer):
    assert await endpoints.predict("m", at(peer, "ok"), PredictionInputs(image_data="AAAA"), 20)
    assert json.loads(peer.requests[0].body) == {"image_data": "AAAA"}


async def test_the_error_of_an_endpoint_that_refuses_an_image_names_it(endpoints, peer):
    image = PredictionInputs(image_data="AAAA")
    with pytest.raises(errors.Invalid, match="image_data: the model's endpoint answers 422"):
        await endpoints.predict("m", at(peer, "status/422"), image, 20)


async def test_instances_are_always_a_list_and_one_is_answered_by_one(endpoints, peer):
    spec = at(peer, "ok", sends="instances")
    assert await endpoints.predict("m", spec, ONE, 20) == {"prediction": 1.5}
    assert json.loads(peer.requests[0].body) == {"instances": [ROW]}


@pytest.mark.parametrize(
    ("inputs", "says", "answer"),
    [
        (ONE, {"prediction": "a", "pred_proba": {"a": 1.0}}, {"pred_proba": {"a": 1.0}}),
        (ONE, {"predictions": ["a"]}, {}),
        (ONE, "a", {}),
        (TWO, {"predictions": ["a", "b"], "pred_proba": [1, 2]}, {"pred_proba": [1, 2]}),
        (TWO, ["a", "b"], {}),
    ],
)
async def test_answers_of_many_shapes_are_understood(endpoints, peer, inputs, says, answer):
    spec = at(peer, "says/" + quote(json.dumps(says)))
    expected = {"prediction": ["a", "b"] if inputs.many else "a", **answer}
    assert await endpoints.predict("m", spec, inputs, 20) == expected


@pytest.mark.parametrize("says", ['["a"]', '{"a": 1}', '{"predictions": 1}', '{"prediction": []}'])
async def test_an_answer_of_another_length_is_none(endpoints, peer, says):
    with pytest.raises(errors.EndpointFailed, match="asked for 2"):
        await endpoints.predict("m", at(peer, "says/" + quote(says)), TWO, 20)


@pytest.mark.parametrize("says", ["NaN", '{"prediction": Infinity}', "{", "", "[1e999]"])
async def test_what_is_no_json_is_no_answer(endpoints, peer, says):
    with pytest.raises(errors.EndpointFailed, match="not valid JSON"):
        await endpoints.predict("m", at(peer, "says/" + quote(says)), ONE, 20)


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("status/500", errors.EndpointFailed, "500"),
        ("status/404", errors.EndpointFailed, "404"),
        ("status/429", errors.EndpointUnavailable, "429"),
        ("status/503", errors.EndpointUnavailable, "503"),
        ("status/400", errors.Invalid, "input_data"),
        ("status/422", errors.Invalid, "such luck"),
        ("reset", errors.EndpointLost, "ended the connection"),
        ("half", errors.EndpointLost, "ended the connection"),
        ("redirect", errors.EndpointFailed, "redirects are not followed"),
        ("gzip", errors.EndpointFailed, "Content-Encoding"),
        ("headers", errors.EndpointFailed, "speak HTTP"),
        ("noise", errors.EndpointFailed, "speak HTTP"),
        ("large/length", errors.EndpointFailed, "more than 4194304 bytes"),
        ("large/chunks", errors.EndpointFailed, "more than 4194304 bytes"),
        ("hang", errors.DeadlineExceeded, "within 3 s"),
        ("drip", errors.DeadlineExceeded, "within 3 s"),
    ],
)
async def test_a_bad_endpoint_is_told_of_and_asked_once(endpoints, peer, path, kind, says):
    seconds = 3 if kind is errors.DeadlineExceeded else 20
    with pytest.raises(kind, match=says) as caught:
        await endpoints.predict("m", at(peer, path), ONE, seconds)
    assert type(caught.value).type == kind.type
    assert caught.value.detail.isprintable()
    assert sum(peer.calls.values()) == 1
    assert peer.calls["internal"] == 0


@pytest.mark.parametrize(("status", "extra"), [(429, {}), (503, {"may_have_begun": True})])
async def test_only_what_is_certain_is_said_not_to_have_begun(endpoints, peer, status, extra):
    with pytest.raises(errors.EndpointUnavailable) as caught:
        await endpoints.predict("m", at(peer, f"status/{status}"), ONE, 20)
    assert caught.value.extra == extra


async def test_what_is_idempotent_is_asked_again(endpoints, peer):
    spec = at(peer, "twice", idempotent=True)
    assert await endpoints.predict("m", spec, ONE, 20) == {"prediction": 1.5}
    assert peer.calls["twice"] == 3


async def test_what_is_idempotent_is_asked_three_times_at_most(endpoints, peer):
    with pytest.raises(errors.EndpointUnavailable):
        await endpoints.predict("m", at(peer, "status/503", idempotent=True), ONE, 20)
    assert peer.calls["status"] == 3


async def test_an_error_of_an_idempotent_endpoint_is_not_asked_for_again(endpoints, peer):
    with pytest.raises(errors.EndpointFailed):
        await endpoints.predict("m", at(peer, "status/500", idempotent=True), ONE, 20)
    assert peer.calls["status"] == 1


async def test_a_secret_is_sent_and_never_passed_on(endpoints, peer, caplog):
    caplog.set_level(logging.DEBUG)
    secret = {"name": "token", "header": "X-Key", "prefix": "Key "}
    for status, kind in ((500, errors.EndpointFailed), (200, errors.EndpointFailed)):
        with pytest.raises(kind) as caught:
            await endpoints.predict(
                f"m{status}", at(peer, f"echo/{status}", secret=secret), ONE, 20
            )
        assert TOKEN not in caught.value.detail
    assert [each.headers["x-key"] for each in peer.requests] == [f"Key {TOKEN}"] * 2
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("size", [1, 5000])
async def test_large_inputs_are_sent_whole(endpoints, peer, size):
    rows = [{"a": number + 0.5, "b": "x" * 20} for number in range(size)]
    asked = PredictionInputs(input_data=rows)
    answer = await endpoints.predict("m", at(peer, "ok"), asked, 20, size=len(asked.encode()))
    assert answer == {"prediction": [row["a"] for row in rows]}
    assert json.loads(peer.requests[0].body) == {"input_data": rows}


async def test_calls_beyond_the_limit_wait_and_more_are_refused(endpoints, peer):
    spec = at(peer, "think/0.3", limit=2)
    asked = [asyncio.create_task(endpoints.predict("m", spec, ONE, 20)) for _ in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in answers] == [dict] * 4 + [errors.Overloaded]
    background = [endpoints.predict("m", spec, ONE, 20, background=True) for _ in range(7)]
    assert await asyncio.gather(*background) == [{"prediction": 1.5}] * 7


async def test_patient_ones_take_nothing_from_callers(endpoints, peer):
    spec = at(peer, "held", limit=1)
    order = []

    async def ask(name, **patience):
        assert await endpoints.predict("m", spec, ONE, 20, **patience)
        order.append(name)

    asked = [asyncio.create_task(ask("job", background=True)) for _ in range(3)]
    await asyncio.to_thread(until, lambda: peer.calls["held"], "the first call is there")
    asked.append(asyncio.create_task(ask("caller")))
    await asyncio.sleep(0)
    with pytest.raises(errors.Overloaded):
        await endpoints.predict("m", spec, ONE, 20)
    peer.released.set()
    try:
        await asyncio.gather(*asked)
    finally:
        peer.released.clear()
    assert order == ["job", "caller", "job", "job"]


async def test_an_endpoint_that_hangs_blocks_no_other(endpoints, peer):
    hung = [
        asyncio.create_task(endpoints.predict("h", at(peer, "hang", limit=5), ONE, 20))
        for _ in range(10)
    ]
    await asyncio.sleep(0)
    answers = [endpoints.predict("m", at(peer, "ok"), ONE, 20) for _ in range(20)]
    assert await asyncio.gather(*answers) == [{"prediction": 1.5}] * 20
    for each in hung:
        each.cancel()
    await asyncio.gather(*hung, return_exceptions=True)


async def test_a_call_that_was_cancelled_leaves_its_turn_to_others(endpoints, peer):
    held = at(peer, "held", limit=1)
    for _ in range(3):
        with pytest.raises(errors.DeadlineExceeded):
            await endpoints.predict("m", held, ONE, 0.1)
    asked = asyncio.create_task(endpoints.predict("m", held, ONE, 20))
    peer.released.set()
    try:
        assert await asked == {"prediction": 1.5}
    finally:
        peer.released.clear()


async def test_once_shut_what_waits_is_interrupted_and_what_was_begun_goes_on(endpoints, peer):
    spec = at(peer, "held", limit=1)
    asked = [asyncio.create_task(endpoints.predict("m", spec, ONE, 20)) for _ in range(2)]
    await asyncio.to_thread(until, lambda: peer.calls["held"], "the first call is there")
    endpoints.stop()
    peer.released.set()
    try:
        first, second = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        peer.released.clear()
    assert first == {"prediction": 1.5}
    assert isinstance(second, errors.ShuttingDown)
    with pytest.raises(errors.ShuttingDown):
        await endpoints.predict("new", at(peer, "ok"), ONE, 20)


async def test_sagemaker_is_called_with_a_signature(endpoints, peer):
    assert await endpoints.predict("m", sagemaker(peer, "pair"), TWO, 20) == {
        "prediction": [1.5, 2.5]
    }
    (request,) = peer.requests
    assert request.path == "/endpoints/pair/invocations"
    assert request.headers["accept-encoding"] == "identity"
    signature.check("POST", request.path, "", request.headers, request.body, KEY_ID, KEY)


async def test_sagemaker_in_another_region_is_signed_for_it(endpoints, peer):
    spec = sagemaker(peer, "pair", region="eu-central-1")
    assert await endpoints.predict("m", spec, ONE, 20) == {"prediction": 1.5}
    assert "/eu-central-1/" in peer.requests[0].headers["authorization"]


async def test_sagemaker_may_have_the_credentials_of_the_settings(settings, peer):
    mine = Settings(
        _env_file=None,
        invoke_hosts=peer.host,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=KEY,
    )
    async with RemoteModelClient(mine) as endpoints:
        spec = sagemaker(peer, "pair", credentials=None)
        assert await endpoints.predict("m", spec, ONE, 20) == {"prediction": 1.5}


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("nowhere", errors.EndpointFailed, "Endpoint nowhere not found"),
        ("bursting", errors.EndpointUnavailable, "Rate"),
        ("choosy", errors.Invalid, "bad row"),
    ],
)
async def test_errors_of_sagemaker_are_told_apart(endpoints, peer, name, kind, says):
    with pytest.raises(kind, match=says):
        await endpoints.predict("m", sagemaker(peer, name), ONE, 20)
    assert peer.calls["endpoints"] == 1


@pytest.mark.parametrize(
    ("variables", "changes"),
    [
        ({}, {"endpoint_url": "http://my_host:80"}),
        ({"AWS_ACCESS_KEY_ID": KEY_ID}, {"credentials": None}),
        ({"AWS_PROFILE": "nobody"}, {"credentials": None}),
    ],
)
async def test_a_sagemaker_that_cannot_be_called_is_told_of(
    peer, settings, monkeypatch, variables, changes
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    mine = settings.model_copy(update={"invoke_hosts": f"{peer.host},my_host"})
    async with RemoteModelClient(mine) as endpoints:
        with pytest.raises(errors.EndpointFailed, match="SageMaker cannot be called"):
            await endpoints.predict("m", sagemaker(peer, "pair", **changes), ONE, 20)
    assert not peer.calls


CONTAINER = "AWS_CONTAINER_CREDENTIALS_FULL_URI"  # botocore asks it, and again before the expiry


def temporary(peer, minutes):
    """Return the address of credentials that expire after so many minutes."""
    expiry = datetime.now(UTC) + timedelta(minutes=minutes)
    found = {
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": KEY,
        "Token": "session/token==",
        "Expiration": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return f"{peer.url}/says/{quote(json.dumps(found))}"


@pytest.fixture
def source():
    """What botocore asks for credentials; its connection stays open as long as it likes."""
    with Stranger() as server:
        yield server


@pytest.mark.parametrize(("minutes", "lookups"), [(60, 1), (5, 3)])
async def test_temporary_credentials_are_kept_until_they_are_about_to_expire(
    endpoints, peer, source, monkeypatch, minutes, lookups
):
    for files in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):  # would come first
        monkeypatch.setenv(files, os.devnull)
    monkeypatch.setenv(CONTAINER, temporary(source, minutes))
    spec = sagemaker(peer, "pair", credentials=None)
    for _ in range(2):
        assert await endpoints.predict("m", spec, ONE, 20) == {"prediction": 1.5}
    assert len(peer.requests) == 2
    for each in peer.requests:
        assert each.headers["x-amz-security-token"] == "session/token=="
        signature.check("POST", each.path, "", each.headers, each.body, KEY_ID, KEY)
    assert source.calls["says"] == lookups


async def test_temporary_credentials_of_the_environment_are_sent_with_their_token(
    endpoints, peer, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session/token==")
    await endpoints.predict("m", sagemaker(peer, "pair", credentials=None), ONE, 20)
    assert peer.requests[0].headers["x-amz-security-token"] == "session/token=="


@pytest.mark.parametrize("idempotent", [True, False])
async def test_calls_of_sagemaker_are_sent_again_only_if_they_may_be(endpoints, peer, idempotent):
    spec = sagemaker(peer, "bursting").model_copy(update={"idempotent": idempotent})
    with pytest.raises(errors.EndpointUnavailable):
        await endpoints.predict("m", spec, ONE, 20)
    assert peer.calls["endpoints"] == (3 if idempotent else 1)


async def test_a_wrong_key_is_refused_and_not_shown(settings, peer):
    wrong = Settings(
        _env_file=None, invoke_hosts=peer.host, invoke_secrets={"aws": f"{KEY_ID}:wrong-secret-key"}
    )
    async with RemoteModelClient(wrong) as endpoints:
        with pytest.raises(errors.EndpointFailed, match="signature does not fit") as caught:
            await endpoints.predict("m", sagemaker(peer, "pair"), ONE, 20)
    assert "wrong-secret-key" not in caught.value.detail


async def test_a_sagemaker_that_redirects_is_not_followed(endpoints, peer):
    model = {
        "endpoint_name": "pair", "endpoint_url": f"{peer.url}/redirect", "credentials": "aws",
    }  # fmt: skip
    with pytest.raises(errors.EndpointFailed, match="redirects are not followed"):
        await endpoints.predict("m", EndpointSpec.model_validate({"sagemaker": model}), ONE, 20)
    assert dict(peer.calls) == {"redirect": 1}


async def test_calls_of_two_instances_overlap(endpoints, peer):
    spec = sagemaker(peer, "slow")
    await asyncio.gather(*(endpoints.predict("m", spec, ONE, 20) for _ in range(4)))
    assert peer.fleets["slow"].most == 2


async def test_hosts_that_are_not_listed_are_not_called(peer, settings):
    async with RemoteModelClient(
        settings.model_copy(update={"invoke_hosts": "127.0.0.1:1"})
    ) as endpoints:
        with pytest.raises(errors.Invalid, match="INVOKE_HOSTS"):
            await endpoints.predict("m", at(peer, "ok"), ONE, 20)
    assert not peer.calls


@pytest.mark.parametrize("trick", ["http://localhost\\@{}/ok", "http://{}#@localhost/ok"])
async def test_an_address_of_two_readings_reaches_no_host_that_is_not_listed(peer, settings, trick):
    async with RemoteModelClient(
        settings.model_copy(update={"invoke_hosts": "localhost"})
    ) as endpoints:
        spec = EndpointSpec.model_construct(url=trick.format(peer.host))
        with pytest.raises((errors.Invalid, errors.EndpointFailed)):
            await endpoints.predict("m", spec, ONE, 20)
    assert not peer.calls


@pytest.mark.parametrize("idempotent", [True, False])
async def test_an_idle_connection_is_kept_for_what_may_be_sent_again(settings, peer, idempotent):
    spec = at(peer, "ok", idempotent=idempotent)
    async with RemoteModelClient(settings, keepalive_seconds=0.0) as endpoints:
        await endpoints.predict("m", spec, ONE, 20)
        before = set(peer.peers)
        await endpoints.predict("m", spec, ONE, 20)
        assert (peer.peers <= before) is idempotent
