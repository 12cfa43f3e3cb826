"""An S3 server that encrypts: what is stored, and what is said of a wrong certificate."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import errors
from app.settings import Settings
from app.storage.client import LOW_LATENCY_CONFIG, S3Client
from app.storage.datasets import DatasetStore
from devstack.authority import Authority
from devstack.s3 import S3Server
from tests.support.files import CSV
from tests.support.tls_listener import tls_listener


@pytest.fixture(scope="module")
def encrypted(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("encrypted-s3") / "data"
    with S3Server.on_free_port(folder, authority.server("s3")) as server:
        yield server


def settings(server: dict[str, str], **changes: str) -> Settings:
    given = {name.lower(): value for name, value in server.items()}
    return Settings(_env_file=None, **{**given, **changes})


def test_files_of_any_size_are_stored_and_read(encrypted: S3Server, tmp_path: Path) -> None:
    client = S3Client(settings(encrypted.s3.settings()))
    client.check()
    datasets = DatasetStore(client, "data/")
    large = CSV + b"1,2,3\n" * 2_000_000  # more than one part
    for name, data in (("small", CSV), ("large", large)):
        datasets.put(name, io.BytesIO(data))
        datasets.download(name, str(tmp_path / name))
        assert (tmp_path / name).read_bytes() == data


@pytest.mark.parametrize("fault", ["authority", "expired", "host", "file"])
def test_a_wrong_certificate_is_refused_and_the_message_says_where_to_look(
    fault: str, authority: Authority, tmp_path: Path
) -> None:
    certificate, trusted = authority.server("s3-of-the-test"), str(authority.file)
    match fault:
        case "authority":
            trusted, said = (
                str(Authority(tmp_path).file),
                "unknown authority: look at AWS_CA_BUNDLE",
            )
        case "expired":
            certificate = authority.server("expired-s3", days=-1)
            said = "its certificate has expired"
        case "host":
            certificate = authority.server("s3-elsewhere", ["elsewhere.example"])
            said = "for another host: look at AWS_ENDPOINT_URL"
        case "file":
            trusted = str(tmp_path / "nowhere")
            said = "AWS_CA_BUNDLE"

    with tls_listener(certificate) as port:
        server = {
            "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
            "AWS_CA_BUNDLE": trusted,
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        with pytest.raises(errors.StorageUnavailable, match=said):
            S3Client(settings(server), LOW_LATENCY_CONFIG).check()
