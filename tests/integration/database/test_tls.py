"""An encrypted PostgreSQL, as `DATABASE_URL` asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from app import errors
from app.database.engine import connect, create_engine
from devstack.authority import Authority, Certificate
from tests.support.postgres import Postgres
from tests.support.postgres_tls import postgres_tls

PASSWORD = "secret-of-the-database"
Serve = Callable[[Certificate], str]


@pytest.fixture
def serve(postgres: Postgres) -> Iterator[Serve]:
    """Serve a database with a certificate; return its URL, which lacks what a client trusts."""
    with ExitStack() as open_:

        def start(certificate: Certificate) -> str:
            url = urlsplit(postgres.new_database())
            socket = Path(parse_qs(url.query)["host"][0], ".s.PGSQL.5432")
            port = open_.enter_context(postgres_tls(socket, certificate))
            return f"{url.scheme}://warren:{PASSWORD}@127.0.0.1:{port}{url.path}"

        yield start


def answer(url: str) -> int:
    engine = create_engine(url)
    try:
        with connect(engine) as connection:
            return int(connection.scalar(sa.text("SELECT 42")) or 0)
    finally:
        engine.dispose()


def trusting(authority: Authority) -> str:
    return f"?sslmode=verify-full&sslrootcert={authority.file}"


def test_a_database_with_a_certificate_of_the_authority_is_used(
    serve: Serve, authority: Authority
) -> None:
    assert answer(serve(authority.server("postgres")) + trusting(authority)) == 42


@pytest.mark.parametrize("fault", ["authority", "expired", "host", "file"])
def test_a_wrong_certificate_is_refused_and_the_message_says_where_to_look(
    serve: Serve, authority: Authority, tmp_path: Path, fault: str
) -> None:
    certificate, trusted = authority.server("postgres"), trusting(authority)
    match fault:
        case "authority":
            trusted = trusting(Authority(tmp_path))
        case "expired":
            certificate = authority.server("expired", days=-1)
        case "host":
            certificate = authority.server("elsewhere", ["elsewhere.example"])
        case "file":
            trusted = f"?sslmode=verify-full&sslrootcert={tmp_path}/nowhere"

    with pytest.raises(errors.DatabaseUnavailable) as refused:
        answer(serve(certificate) + trusted)

    assert refused.value.detail.endswith("look at sslmode and sslrootcert in DATABASE_URL")
    assert PASSWORD not in refused.value.detail


def test_a_connection_without_tls_is_refused(serve: Serve, authority: Authority) -> None:
    with pytest.raises(errors.DatabaseUnavailable):
        answer(serve(authority.server("postgres")) + "?sslmode=disable")
