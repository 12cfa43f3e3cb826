"""What a start of the local stack makes of its settings; nothing is started."""

import os
import socket
from pathlib import Path

import pytest

from devstack import env_file, layout, ports
from devstack.program import ProgramError, find
from devstack.rabbitmq_node import SERVER_FOLDERS
from devstack.supervisor import variable


@pytest.fixture(autouse=True)
def _rabbitmq():
    """Its files are prepared only where it is installed; CI must not skip that."""
    try:
        find("rabbitmq-server", SERVER_FOLDERS)
    except ProgramError as error:
        if not os.environ.get("CI"):
            pytest.skip(str(error))


def names(programs):
    return [program.name for program in programs]


def test_a_second_start_finds_its_ports_and_secrets_again(tmp_path):
    first, programs = layout.make({}, tmp_path)
    assert names(programs) == ["epmd", "rabbitmq", "s3", "producer", "consumer"]
    assert env_file.read(tmp_path) == first
    assert layout.make({}, tmp_path)[0] == first


def test_a_setting_of_the_environment_reaches_the_applications_and_stays(tmp_path):
    settings, programs = layout.make({"INVOKE_HOSTS": "localhost"}, tmp_path)
    assert settings["INVOKE_HOSTS"] == "localhost"
    for program in programs[-2:]:
        assert program.environment["INVOKE_HOSTS"] == "localhost"
    assert layout.make({}, tmp_path)[0] == settings
    assert "INVOKE_HOSTS" not in layout.make({"INVOKE_HOSTS": ""}, tmp_path)[0]


def test_a_kept_port_that_is_taken_moves_and_stays_where_it_went(tmp_path, capsys):
    before = layout.make({}, tmp_path)[0]["PORT"]
    with socket.create_server(("127.0.0.1", int(before))):
        after = layout.make({}, tmp_path)[0]["PORT"]
    assert int(after) > int(before)
    assert (
        f"Port {before} is taken, perhaps by another stack, so PORT becomes {after}\n"
        in capsys.readouterr().out
    )
    assert layout.make({}, tmp_path)[0]["PORT"] == after


@pytest.mark.parametrize("name", list(ports.USUAL))
def test_a_demanded_port_is_obeyed_and_kept_or_refused(tmp_path, name):
    (port,) = ports.unused(1)
    settings, _ = layout.make({name: str(port)}, tmp_path)
    assert settings[name] == str(port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ProgramError, match="is taken"):
        layout.make({}, tmp_path)
    assert layout.make({}, tmp_path)[0] == settings


def test_a_line_that_somebody_adds_is_obeyed(tmp_path):
    layout.make({}, tmp_path)
    (port,) = ports.unused(1)
    with (tmp_path / "env").open("a") as file:
        file.write(f"PORT={port}\n")
    assert layout.make({}, tmp_path)[0]["PORT"] == str(port)


def test_a_server_that_is_named_is_used_and_none_started(tmp_path):
    environ = {
        "RABBITMQ_HOST": "mq.example.com",
        "RABBITMQ_PASSWORD": "x",
        "AWS_ENDPOINT_URL": "https://s3.example.com",
        "DATABASE_URL": "postgresql+psycopg://me@db/warren",
    }
    settings, programs = layout.make(environ, tmp_path)
    assert names(programs) == ["producer", "consumer"]
    assert set(settings) == {*environ, "HOST", "PORT"}
    back, programs = layout.make(dict.fromkeys(environ, ""), tmp_path)
    assert len(programs) == 5
    assert back["DATABASE_URL"] == f"sqlite:///{tmp_path}/warren.db"


def test_the_own_servers_have_the_password_and_the_bucket_that_are_given(tmp_path):
    settings, _ = layout.make({"RABBITMQ_PASSWORD": "x", "S3_BUCKET_NAME": "mine"}, tmp_path)
    assert (settings["RABBITMQ_PASSWORD"], settings["S3_BUCKET_NAME"]) == ("x", "mine")
    assert (tmp_path / "s3" / "mine").is_dir()


def test_an_encrypted_stack_stays_encrypted_until_that_is_taken_back(tmp_path):
    plain, _ = layout.make({}, tmp_path)
    settings, _ = layout.make({"TLS": "1", "ALLOWED_HOSTS": "warren.example"}, tmp_path)
    assert (settings["RABBITMQ_TLS"], settings["AWS_ENDPOINT_URL"][:6]) == ("on", "https:")
    assert layout.api_address(settings) == f"https://127.0.0.1:{settings['PORT']}"
    trusted = layout.ca_file(settings, tmp_path)
    assert str(trusted) == settings["RABBITMQ_CA_FILE"] == settings["AWS_CA_BUNDLE"]
    assert "RABBITMQ_PRODUCER_PASSWORD" not in settings
    for name in ("TLS", "RABBITMQ_PRODUCER", "RABBITMQ_CONSUMER"):
        assert (tmp_path / "tls") in Path(settings[f"{name}_CERTIFICATE_FILE"]).parents
    kept = trusted.read_text()

    again, _ = layout.make({}, tmp_path)
    assert again == settings
    assert trusted.read_text() == kept

    after, _ = layout.make({"TLS": "", "ALLOWED_HOSTS": ""}, tmp_path)
    assert [name for name in after if "TLS" in name or "CERTIFICATE" in name] == []
    assert after.keys() == plain.keys()


def test_an_encrypted_stack_takes_a_password_that_is_given(tmp_path):
    settings, _ = layout.make({"TLS": "1", "RABBITMQ_PRODUCER_PASSWORD": "mine"}, tmp_path)
    assert settings["RABBITMQ_PRODUCER_PASSWORD"] == "mine"
    assert "RABBITMQ_PRODUCER_CERTIFICATE_FILE" not in settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TLS": "yes please"}, "TLS=yes please: say 1 or 0"),
        ({"RABBITMQ_TLS": "on"}, "RABBITMQ_TLS without RABBITMQ_HOST"),
    ],
)
def test_encryption_that_cannot_be_is_refused(tmp_path, given, said):
    with pytest.raises(ProgramError, match=said):
        layout.make(given, tmp_path)


def test_a_stack_that_runs_does_not_change(tmp_path):
    settings, _ = layout.make({"INVOKE_HOSTS": "a"}, tmp_path)
    assert layout.running({}, tmp_path) == settings
    assert layout.running({"INVOKE_HOSTS": "a", "PORT": settings["PORT"]}, tmp_path) == settings
    with pytest.raises(
        ProgramError, match="runs, and INVOKE_HOSTS, LOG_LEVEL would change: `make down`"
    ):
        layout.running({"INVOKE_HOSTS": "", "LOG_LEVEL": "DEBUG"}, tmp_path)
    with (tmp_path / "env").open("a") as file:
        file.write("PORT=5110\n")
    with pytest.raises(ProgramError, match="runs, and PORT would change: "):
        layout.running({}, tmp_path)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("here", "here")],
)
def test_the_api_is_asked_where_it_listens(host, address):
    assert layout.api_address({"HOST": host, "PORT": "1"}) == f"http://{address}:1"


def test_supervisord_passes_values_on_or_they_are_refused():
    assert variable("A", "it's") == 'A="it\'s"'
    assert variable("A", '{"a": "b"}') == 'A=\'{"a": "b"}\''
    with pytest.raises(ProgramError, match=r"^A: "):
        variable("A", 'it\'s "it"')
