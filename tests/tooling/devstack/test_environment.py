"""What the user asks of the local stack: the environment, then `.run/env`."""

import pytest

from devstack import environment
from devstack.program import ProgramError

CHOSEN = {
    "HOST": "127.0.0.1",
    "PORT": "5001",
    "RABBITMQ_HOST": "127.0.0.1",
    "RABBITMQ_USER": "warren",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
    "AWS_SECRET_ACCESS_KEY": "of the stack's own S3",
}
S3 = {"AWS_ENDPOINT_URL": "https://s3.example.com", "AWS_ACCESS_KEY_ID": "me"}


def test_the_environment_goes_before_the_file():
    lines = {**CHOSEN, "INVOKE_HOSTS": "a", "LOG_LEVEL": "DEBUG"}
    given = environment.merge({"INVOKE_HOSTS": "b", "EDITOR": "vi"}, lines, CHOSEN)
    assert given.values == {"INVOKE_HOSTS": "b", "LOG_LEVEL": "DEBUG"}
    assert given.taken == {"INVOKE_HOSTS": "b"}


def test_every_setting_is_taken_nested_ones_and_small_letters_too():
    environ = {"INVOKE_SECRETS__HF": "s", "max_body": "1", "S3_PORT": "9001"}
    taken = {"INVOKE_SECRETS__HF": "s", "MAX_BODY": "1", "S3_PORT": "9001"}
    assert environment.merge(environ, {}, {}).taken == taken


def test_what_was_chosen_is_not_given():
    assert environment.merge({}, CHOSEN, CHOSEN).values == {}


def test_a_line_that_somebody_changed_is_given():
    lines = {**CHOSEN, "PORT": "5110", "ANYTHING": "else"}
    assert environment.merge({}, lines, CHOSEN).values == {"PORT": "5110", "ANYTHING": "else"}


def test_a_shell_that_has_read_the_file_demands_its_ports_only():
    given = environment.merge(CHOSEN, CHOSEN, CHOSEN)
    assert (given.values, given.passed_over) == ({"PORT": "5001"}, ())


def test_a_server_that_is_named_as_the_own_one_was_is_another():
    given = environment.merge({"RABBITMQ_HOST": "127.0.0.1"}, CHOSEN, CHOSEN)
    assert given.values == {"RABBITMQ_HOST": "127.0.0.1"}


def test_an_empty_value_takes_a_line_back():
    lines = {**CHOSEN, "PORT": "5110", "INVOKE_HOSTS": "a"}
    given = environment.merge({"PORT": "", "INVOKE_HOSTS": ""}, lines, CHOSEN)
    assert given.values == {}
    assert given.taken == {"PORT": "", "INVOKE_HOSTS": ""}


def test_a_foreign_s3_is_taken_back_with_its_login():
    given = environment.merge(dict.fromkeys(S3, ""), S3, {})
    assert (given.values, given.taken) == ({}, dict.fromkeys(S3, ""))


def test_an_aws_login_without_an_s3_is_for_other_programs():
    login = {"AWS_ACCESS_KEY_ID": "me", "AWS_DEFAULT_REGION": "eu-west-1"}
    given = environment.merge(login, CHOSEN, CHOSEN)
    assert (given.values, given.taken) == ({}, {})
    assert given.passed_over == tuple(login)


@pytest.mark.parametrize(("environ", "lines"), [(S3, {}), ({"AWS_ACCESS_KEY_ID": "me"}, S3)])
def test_an_aws_login_with_an_s3_is_taken(environ, lines):
    given = environment.merge(environ, lines, {})
    assert (given.values, given.passed_over) == (S3, ())


@pytest.mark.parametrize(
    ("environ", "lines", "name"),
    [
        ({"RABBITMQ_USER": "me"}, {}, "RABBITMQ_USER"),
        ({"RABBITMQ_VHOST": "mine"}, CHOSEN, "RABBITMQ_VHOST"),
        ({}, {**CHOSEN, "AWS_SECRET_ACCESS_KEY": "changed"}, "AWS_SECRET_ACCESS_KEY"),
        ({"RABBITMQ_HOST": "mq", "ERL_EPMD_PORT": "4369"}, {}, "ERL_EPMD_PORT"),
        ({**S3, "S3_PORT": "9000"}, {}, "S3_PORT"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(environ, lines, name):
    with pytest.raises(ProgramError, match=f"^{name} with"):
        environment.merge(environ, lines, CHOSEN)


def test_secrets_are_not_shown(capsys):
    secrets = ("DATABASE_URL", "RABBITMQ_PASSWORD", "INVOKE_SECRETS__HF", "INVOKE_SECRETS")
    given = environment.merge({**dict.fromkeys(secrets, "hush"), "PORT": "5110"}, {}, {})
    environment.tell(given)
    said = capsys.readouterr().out
    assert "hush" not in said
    assert said.count("=***") == len(secrets)
    assert "PORT=5110" in said


def test_what_was_passed_over_and_taken_back_is_told(capsys):
    environ = {"AWS_ACCESS_KEY_ID": "me", "PORT": ""}
    environment.tell(environment.merge(environ, {}, {}))
    said = capsys.readouterr().out
    assert "has its own S3, so the environment's AWS_ACCESS_KEY_ID has no meaning for it" in said
    assert "Taken back by an empty value in the environment: PORT\n" in said
