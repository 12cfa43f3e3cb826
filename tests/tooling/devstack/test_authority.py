"""The authority of the local stack and of the tests."""

import ssl
import stat
from contextlib import suppress
from typing import Any

import pytest

from devstack.authority import Authority


def handshake(authority: Authority, certificate: Any, host: str, trusted: Authority) -> None:
    """Let a client and a server shake hands in memory."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate.both)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusted.trust().wrap_bio(back, there, server_hostname=host)
    server = server_context.wrap_bio(there, back, server_side=True)
    for _ in range(2):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()


def test_its_certificates_are_for_their_hosts(tmp_path):
    authority = Authority(tmp_path / "tls")
    made = authority.server("web", ["localhost", "::1", "*.example.com"])

    for host in ("localhost", "::1", "warren.example.com"):
        handshake(authority, made, host, authority)
    for host in ("127.0.0.1", "example.org"):
        with pytest.raises(ssl.SSLCertVerificationError, match="is not valid for"):
            handshake(authority, made, host, authority)


def test_no_other_authority_and_no_old_certificate_is_trusted(tmp_path):
    authority, other = Authority(tmp_path / "tls"), Authority(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
        handshake(authority, authority.server("web"), "localhost", other)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(authority, authority.server("old", days=-1), "localhost", authority)
    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        handshake(authority, authority.client("somebody"), "localhost", authority)


def test_it_stays_the_same_and_its_keys_are_private(tmp_path):
    before = Authority(tmp_path / "tls").file.read_text()
    made = Authority(tmp_path / "tls").server("web")

    assert made.authority.read_text() == before
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    for key in (made.key, made.both, tmp_path / "tls" / "ca.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
