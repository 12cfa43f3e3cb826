"""Settings of encryption, and who logs in by a certificate."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings

ON = {"rabbitmq_tls": "on"}


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_key_file": "k"}, "TLS_KEY_FILE has no certificate: set TLS_CERTIFICATE_FILE, too"),
        ({"rabbitmq_key_file": "k", **ON}, "set RABBITMQ_CERTIFICATE_FILE, too"),
        ({"rabbitmq_ca_file": "c"}, "RABBITMQ_CA_FILE has no effect: set RABBITMQ_TLS=on, too"),
        ({"rabbitmq_certificate_file": "c"}, "RABBITMQ_CERTIFICATE_FILE has no effect"),
        (
            {"rabbitmq_producer_certificate_file": "c", **ON},
            "RABBITMQ_PRODUCER_CERTIFICATE_FILE has no user: set RABBITMQ_PRODUCER_USER, too",
        ),
        (
            {"rabbitmq_certificate_file": "c", **ON},
            "RABBITMQ_CERTIFICATE_FILE has no user: set RABBITMQ_USER, too",
        ),
        ({"rabbitmq_tls": "yes"}, "rabbitmq_tls"),
    ],
)
def test_settings_that_would_have_no_effect_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)


@pytest.mark.parametrize(
    ("given", "external"),
    [
        ({}, False),
        ({"rabbitmq_certificate_file": "c"}, True),
        ({"rabbitmq_certificate_file": "c", "rabbitmq_password": ""}, True),
        ({"rabbitmq_certificate_file": "c", "rabbitmq_password": "p"}, False),
    ],
)
def test_a_certificate_logs_in_unless_there_is_a_password(
    given: dict[str, str], external: bool
) -> None:
    assert settings(rabbitmq_user="me", **ON, **given).rabbitmq_external is external


def test_a_process_logs_in_by_its_own_certificate() -> None:
    made = settings(
        **ON,
        rabbitmq_user="all",
        rabbitmq_password="p",
        rabbitmq_certificate_file="all.crt",
        rabbitmq_key_file="all.key",
        rabbitmq_consumer_user="own",
        rabbitmq_consumer_certificate_file="own.pem",
        rabbitmq_tools_user="tools",
        rabbitmq_tools_password="t",
    )

    consumer, tools = made.acting_as("consumer"), made.acting_as("tools")

    assert not made.rabbitmq_external
    assert consumer.rabbitmq_external
    assert (consumer.rabbitmq_user, consumer.rabbitmq_certificate_file) == ("own", "own.pem")
    assert consumer.rabbitmq_key_file == ""
    assert (tools.rabbitmq_external, tools.rabbitmq_certificate_file) == (False, "all.crt")
    assert made.acting_as("producer") is made
