import pytest

from app import errors
from app.models.endpoint import EndpointSpec
from app.remote.target import resolve_target
from app.settings import Settings
from tests.support.endpoints import KEY, KEY_ID
from tests.support.remote_calls import TOKEN


def settings(**changes):
    secrets = {"token": TOKEN, "aws": f"{KEY_ID}:{KEY}", "half": "KEY_ID:", "bent": "a\r\nX: 1"}
    values = {"invoke_hosts": "localhost", "invoke_secrets": secrets, **changes}
    return Settings(_env_file=None, **values)


def spec(**changes):
    return EndpointSpec.model_validate({"url": "http://localhost/ok", **changes})


def on_sagemaker(**changes):
    model = {"endpoint_name": "m", "endpoint_url": "http://localhost", **changes}
    return EndpointSpec.model_validate({"sagemaker": model})


def test_an_endpoint_is_called_at_its_url_with_its_secret():
    secret = {"name": "token", "header": "X-Key", "prefix": "Key "}

    target = resolve_target(spec(secret=secret), settings())

    assert str(target.url) == "http://localhost/ok"
    assert target.headers == {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "X-Key": f"Key {TOKEN}",
    }
    assert target.keys is None


def test_a_host_that_is_not_listed_is_refused():
    with pytest.raises(errors.Invalid, match="INVOKE_HOSTS"):
        resolve_target(spec(), settings(invoke_hosts="127.0.0.1:1"))


@pytest.mark.parametrize("address", ["http://localhost\\@evil/ok", "http://evil#@localhost/ok"])
def test_an_address_of_two_readings_is_refused(address):
    with pytest.raises((errors.Invalid, errors.EndpointFailed)):
        resolve_target(EndpointSpec.model_construct(url=address), settings())


@pytest.mark.parametrize(
    ("name", "says"), [("absent", "INVOKE_SECRETS__ABSENT is not set"), ("bent", "characters")]
)
def test_a_secret_that_cannot_be_sent_is_told_by_its_name(name, says):
    with pytest.raises(errors.EndpointFailed, match=says):
        resolve_target(spec(secret={"name": name}), settings())


def test_sagemaker_is_called_with_the_keys_it_names():
    target = resolve_target(on_sagemaker(credentials="aws"), settings())

    assert str(target.url) == "http://localhost/endpoints/m/invocations"
    assert target.keys == (KEY_ID, KEY)


def test_keys_without_a_second_part_are_refused():
    with pytest.raises(errors.EndpointFailed, match="INVOKE_SECRETS__HALF has to be KEY_ID:SECRET"):
        resolve_target(on_sagemaker(credentials="half"), settings())


def test_without_a_name_the_keys_are_those_of_the_settings_if_there_are_any():
    mine = settings(aws_access_key_id="id", aws_secret_access_key="key")

    assert resolve_target(on_sagemaker(), mine).keys == ("id", "key")
    assert resolve_target(on_sagemaker(), settings()).keys is None
