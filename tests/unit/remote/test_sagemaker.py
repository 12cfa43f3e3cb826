"""Requests to SageMaker's runtime, equal to those that AWS's own client sent.

The signatures were recorded from `invoke_endpoint` of botocore 1.43, at a fixed time.
"""

import asyncio
import threading
from datetime import datetime

import botocore.auth
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from yarl import URL

from app import errors
from app.remote.sagemaker import CredentialChain, SageMakerSigner, invocation_url
from examples.remote import signature

pytestmark = pytest.mark.anyio

KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TOKEN = "IQoJb3JpZ2luX2VjE/example+token=="
BODY = '{"input_data": {"a": 1.5, "b": "ä"}}'.encode()
AWS = "https://runtime.sagemaker.eu-central-1.amazonaws.com"
LOCAL = "http://127.0.0.1:5055"
LONG = "Z" * 63


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def noon(monkeypatch):
    """Stop botocore's clock, which it reads itself."""
    now = datetime(2026, 11, 28, 9, 30)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: now)


def authorization(region: str, signed: str, value: str) -> str:
    scope = f"AKIDEXAMPLE/20261128/{region}/sagemaker/aws4_request"
    return (
        f"AWS4-HMAC-SHA256 Credential={scope}, "
        f"SignedHeaders=accept;content-type;host;{signed}, Signature={value}"
    )


@pytest.mark.parametrize(
    ("name", "region", "address", "url", "value"),
    [
        ("churn-prod", "eu-central-1", AWS, f"{AWS}/endpoints/churn-prod/invocations",
         "09739ce0c6b8dd2e33b9c1abb256f07a9e8799bab7f9f2f48351a2cb009d7486"),
        ("a--b-9", "eu-central-1", AWS, f"{AWS}/endpoints/a--b-9/invocations",
         "1915cef72fcd8d6fdc91b1287be482389e1b7f47462e3fa07551d2708ec1a483"),
        (LONG, "eu-central-1", LOCAL, f"{LOCAL}/endpoints/{LONG}/invocations",
         "473411b931ebb4bd438a2a00ccf983ceb7182ec6aa0ebab01afcf41436736eaf"),
        ("churn-prod", "us-gov-west-1", LOCAL, f"{LOCAL}/endpoints/churn-prod/invocations",
         "cfdf46c38a963437c2df68eb3db697e778e2431262f4c6c4934220e6cec836b4"),
        ("churn-prod", "eu-central-1", LOCAL, f"{LOCAL}/endpoints/churn-prod/invocations",
         "6942158e624fe1e0a6a1185ca9a6d6cdea466b32b6b660ff239c3bd863c638a5"),
        ("churn-prod", "eu-central-1", "http://127.0.0.1:80",
         "http://127.0.0.1/endpoints/churn-prod/invocations",
         "3cac66262f2d9da404f561d5928340cfbb84110f9d59cce3c4722947acb429e2"),
        ("churn-prod", "eu-central-1", "https://models.example.com:443",
         "https://models.example.com/endpoints/churn-prod/invocations",
         "ac7be0a1919342d336dc224f2b405a5370a235e6b65868e25849a70607c680ac"),
        ("churn-prod", "eu-central-1", "https://Models.Example.com:8443",
         "https://models.example.com:8443/endpoints/churn-prod/invocations",
         "85cddb9344f7c742fef1eea7bcfc0f22f6b8d0adba91fa64838ea5cca9cab89f"),
        ("churn-prod", "eu-central-1", "http://[::1]:5055",
         "http://[::1]:5055/endpoints/churn-prod/invocations",
         "60f53c258abffaaffde8ce1ce098dcf5f1e4a4a39c3dd07dfc86b8d03f982c13"),
        ("churn-prod", "eu-central-1", "https://h.example/base/path",
         "https://h.example/base/path/endpoints/churn-prod/invocations",
         "bb2827e6891ccbb281f4dd1b7bfda048e483a18afaba3a02d0f7a71857d095fc"),
        ("churn-prod", "eu-central-1", "https://h.example/base/path/",
         "https://h.example/base/path/endpoints/churn-prod/invocations",
         "bb2827e6891ccbb281f4dd1b7bfda048e483a18afaba3a02d0f7a71857d095fc"),
        ("churn-prod", "eu-central-1", "https://h.example/a//b",
         "https://h.example/a//b/endpoints/churn-prod/invocations",
         "2f1874da136c7cd2aa5e75a2c9188d661ca5e405b07a961c8717c95ae013a4f0"),
        ("churn-prod", "eu-central-1", "https://h.example/a%20b",
         "https://h.example/a%20b/endpoints/churn-prod/invocations",
         "ec239b39e48e720f3207ffb7f990104a0baf02ad6349f80c9a95039b4bfca09b"),
        ("churn-prod", "eu-central-1", "https://h.example/x?y=1",
         "https://h.example/x/endpoints/churn-prod/invocations?y=1",
         "406ec4e7b5c81e6dcf66b2abfce0b8f6433877c8567dbe124ef27bf741a6ccad"),
    ],
)  # fmt: skip
async def test_a_request_is_that_of_aws_own_client(noon, name, region, address, url, value):
    target = invocation_url(URL(address), name)
    assert str(target) == url
    headers = await SageMakerSigner().headers(target, region, KEYS, BODY)
    assert headers == {
        "Host": target.host_port_subcomponent,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "X-Amz-Date": "20261128T093000Z",
        "Authorization": authorization(region, "x-amz-date", value),
    }


async def test_the_token_of_temporary_credentials_is_sent_and_signed(noon):
    signer = SageMakerSigner(CredentialChain(lambda: Credentials(*KEYS, TOKEN)))
    url = invocation_url(URL(AWS), "churn-prod")
    headers = await signer.headers(url, "eu-central-1", None, BODY)
    assert headers["X-Amz-Security-Token"] == TOKEN
    assert headers["Authorization"] == authorization(
        "eu-central-1",
        "x-amz-date;x-amz-security-token",
        "4447da8b9ef7a4d5c15dd4e6271d5f41a2bfa4fbc6d7d458622e988456f8ff1b",
    )


@pytest.mark.parametrize("address", [AWS, LOCAL, f"{LOCAL}/base", f"{LOCAL}/base?y=1"])
@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("body", [BODY, b"", b"[" + b"1," * 100_000 + b"1]"])
async def test_a_check_of_signatures_that_is_not_botocore_agrees(address, token, body):
    signer = SageMakerSigner(CredentialChain(lambda: Credentials(*KEYS, token)))
    url = invocation_url(URL(address), "churn-prod")
    headers = await signer.headers(url, "eu-central-1", None, body)
    sent = {name.lower(): value for name, value in headers.items()}
    assert ("x-amz-security-token" in sent) is (token is not None)
    signature.check("POST", url.raw_path, url.raw_query_string, sent, body, *KEYS)
    with pytest.raises(signature.Refused, match="does not match"):
        signature.check("POST", url.raw_path, url.raw_query_string, sent, body + b" ", *KEYS)


@pytest.mark.parametrize("address", ["http://my_host:80", "https://-a.example", "http://a..b"])
def test_a_host_that_aws_clients_refuse_is_refused(address):
    with pytest.raises(errors.EndpointFailed, match="SageMaker cannot be called"):
        invocation_url(URL(address), "churn-prod")


async def test_credentials_are_looked_for_once_for_all_who_wait():
    looked, found = [], threading.Event()

    def find():
        looked.append(threading.current_thread())
        assert found.wait(20)
        return Credentials(*KEYS, TOKEN)

    chain = CredentialChain(find)
    hurried = asyncio.create_task(chain.current())
    others = [asyncio.create_task(chain.current()) for _ in range(3)]
    await asyncio.sleep(0)
    hurried.cancel()
    found.set()
    got = await asyncio.gather(hurried, *others, return_exceptions=True)
    assert isinstance(got[0], asyncio.CancelledError)
    assert [each.token for each in [*got[1:], await chain.current()]] == [TOKEN] * 4
    assert len(looked) == 1
    assert looked[0] is not threading.current_thread()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ClientError({"Error": {"Code": "ExpiredToken"}}, "AssumeRole"), "cannot be read"),
        (FileNotFoundError("no such credential_process"), "cannot be read"),
        (None, "no AWS credentials"),
    ],
)
async def test_credentials_that_cannot_be_had_are_looked_for_again_at_the_next_call(failure, said):
    answers = [failure, Credentials(*KEYS)]

    def find():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    signer = SageMakerSigner(CredentialChain(find))
    url = invocation_url(URL(AWS), "churn-prod")
    with pytest.raises(errors.EndpointFailed, match=f"SageMaker cannot be called.*{said}"):
        await signer.headers(url, "eu-central-1", None, BODY)
    assert await signer.headers(url, "eu-central-1", None, BODY)
