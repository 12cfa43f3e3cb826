"""The files in which the local stack keeps its settings."""

import pytest

from app.settings import Settings
from devstack import env_file
from devstack.program import ProgramError


@pytest.mark.parametrize(
    "value", ["", "plain", " a #b", "it's", 'say "it"', '{"a": "b"}', "a=b", "$"]
)
def test_what_is_written_is_read(tmp_path, value):
    settings = {"INVOKE_SECRETS__NAME": value, "UNKNOWN": "too"}
    env_file.write(tmp_path, settings, ["UNKNOWN"])
    assert env_file.read(tmp_path) == settings
    assert env_file.last_start(tmp_path) == (settings, {"UNKNOWN": "too"})
    read = Settings(_env_file=tmp_path / "env").invoke_secrets["name"]
    assert read.get_secret_value() == value


def test_only_the_owner_may_read_it(tmp_path):
    env_file.write(tmp_path, {"PORT": "5000"}, [])
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INVOKE_HOSTS", "${HOME}"),
        ("INVOKE_HOSTS", "a\nb"),
        ("PORT", "many"),
        ("LEASE_SECONDS", "1"),
        ("INVOKE_SECRETS", "no JSON"),
        ("INVOKE_SECRETS", '{"a": {}}'),
    ],
)
def test_what_the_applications_would_refuse_is_refused_and_nothing_changes(tmp_path, name, value):
    env_file.write(tmp_path, {"PORT": "5000"}, ["PORT"])
    with pytest.raises(ProgramError, match=f"^{name}"):
        env_file.write(tmp_path, {"PORT": "5110", name: value}, [])
    assert env_file.read(tmp_path) == {"PORT": "5000"}
    assert env_file.last_start(tmp_path) == ({"PORT": "5000"}, {"PORT": "5000"})
    assert {path.name for path in tmp_path.iterdir()} == {"env", "started.json"}


def test_the_file_is_read_as_the_applications_read_it(tmp_path):
    (tmp_path / "env").write_text('# a comment\nport=1\nPORT="5110"\nother=x\nINVOKE_HOSTS\n')
    assert env_file.read(tmp_path) == {"PORT": "5110", "other": "x"}


def test_there_may_be_no_files(tmp_path):
    assert env_file.read(tmp_path) == {}
    assert env_file.last_start(tmp_path) == ({}, {})


def test_the_file_of_an_older_stack_was_chosen_by_it(tmp_path):
    lines = [f"{name}=1" for name in (*env_file.EVERY_START_CHOSE, "INVOKE_HOSTS")]
    (tmp_path / "env").write_text("\n".join(lines))
    settings, chosen = env_file.last_start(tmp_path)
    assert set(settings) - set(chosen) == {"INVOKE_HOSTS"}


def test_a_file_that_was_there_before_the_first_start_is_the_users(tmp_path):
    (tmp_path / "env").write_text("PORT=5110\n")
    assert env_file.last_start(tmp_path) == ({}, {})
