"""What the client of the broker refuses before it connects, and what replies mean."""

import subprocess
import sys
from typing import Any

import pytest

from devstack import ports
from devstack.layout import ROOT
from warren_client import errors
from warren_client.amqp import Broker
from warren_client.problems import error_of_job

SECRET = "kept-to-itself"


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1/", "amqp://h:port/", "amqp://[h/"])
def test_what_is_no_address_of_a_broker_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARREN_AMQP_URL", raising=False)
    with pytest.raises(errors.Misconfigured, match="broker"):
        Broker(url)


def test_no_broker_is_unreachable_and_no_text_has_the_password() -> None:
    port = ports.unused(1)[0]
    with Broker(f"amqp://user:{SECRET}@127.0.0.1:{port}/%2F") as broker:
        assert repr(broker) == f"<Warren by the broker at 127.0.0.1:{port}>"
        with pytest.raises(errors.Unreachable, match="no answer from <Warren by") as caught:
            broker.predict("m", {"a": 1})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"type": "not_found"}, errors.NotFound),
        ({"type": "overloaded"}, errors.Unavailable),
        ({"type": "storage_unavailable"}, errors.Unavailable),
        ({"type": "unheard of"}, errors.WarrenError),
        (None, errors.WarrenError),
    ],
)
def test_an_error_without_a_status_has_the_class_of_its_type(told: Any, kind: type) -> None:
    assert type(error_of_job(told)) is kind


def test_without_pika_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['pika'] = None; import warren_client.amqp"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "clients/python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "MissingPackage: install pika: pip install 'warren-client[amqp]'" in done.stderr
