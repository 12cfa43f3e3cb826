"""Faults of TLS in plain words; tests/integration/amqp/test_tls.py provokes them."""

import ssl

import pytest

from app.tls import tls_fault


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert"), "look at MINE"),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), "look at MINE"),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert"), "no TLS 1.2"),
        (ssl.SSLError(1, "certificate verify failed: certificate is not yet valid"), "not valid"),
        (ConnectionError("TLS handshake: [SSL: WRONG_VERSION_NUMBER] wrong"), "look at ADDRESS"),
    ],
)
def test_the_setting_is_named(error: Exception, said: str) -> None:
    assert said in (tls_fault(error, "ADDRESS", "CA", "MINE") or "")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
    ],
    ids=["refused", "reset", "timeout"],
)
def test_another_fault_is_none_of_tls(error: Exception) -> None:
    assert tls_fault(error, "ADDRESS", "CA") is None


def test_a_process_without_a_certificate_is_not_told_to_look_at_it() -> None:
    error = ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure")

    assert tls_fault(error, "ADDRESS", "CA") is None
