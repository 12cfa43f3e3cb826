"""Profiles: what is written is what the client reads."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from warren_cli.console import plain
from warren_cli.profiles import (
    as_toml,
    drop_profile,
    keep_profile,
    profile_names,
    write_profiles,
)
from warren_cli.program import warren
from warren_client.errors import Misconfigured
from warren_client.profiles import Profile, Profiles, config_file, find_server, read_profiles

URL = "https://warren.example.com"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("WARREN_URL", "WARREN_API_KEY", "WARREN_PROFILE", "WARREN_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "text", ["plain", 'a "b" \\ c', "tab\tline\n", "\x7f\x01", "\N{SNOWMAN}\U0001f407"]
)
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    kept = Profiles(default=text, profiles={text: Profile(url=URL, api_key=text, ca_file=text)})
    write_profiles(kept)
    assert read_profiles() == kept


def test_no_profiles_are_an_empty_file() -> None:
    assert as_toml(Profiles()) == ""


def test_only_the_owner_reads_the_file(folder: Path) -> None:
    path = keep_profile("work", Profile(url=URL, api_key="k"), default=True)
    assert path == config_file()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_a_profile_is_the_default_one_only_if_that_is_asked_for() -> None:
    keep_profile("first", Profile(url=URL), default=False)
    assert find_server().url == "http://127.0.0.1:5000"
    keep_profile("second", Profile(url=URL, api_key="k"), default=True)
    assert find_server().api_key == "k"
    assert profile_names() == ["first", "second"]
    drop_profile("second")
    assert read_profiles().default is None
    with pytest.raises(Misconfigured, match="there are: first"):
        drop_profile("second")


def test_a_file_that_cannot_be_read_is_told_and_completes_nothing() -> None:
    keep_profile("work", Profile(url=URL), default=True)
    config_file().write_text("[profiles.work]\nurl = 7\n")
    assert profile_names() == []
    told = CliRunner().invoke(warren, ["profiles", "ls"])
    assert told.exit_code == 2
    assert told.stderr.startswith(f"Error: {plain(str(config_file()))}: profiles.work.url")


def test_profiles_are_listed_chosen_and_forgotten() -> None:
    keep_profile("a", Profile(url=URL, api_key="wrn_abc_secret"), default=True)
    keep_profile("b", Profile(url=URL), default=False)
    run = CliRunner().invoke
    listed = run(warren, ["profiles", "ls"]).stdout
    assert "wrn_abc_..." in listed
    assert "secret" not in listed
    assert run(warren, ["profiles", "use", "b"]).exit_code == 0
    assert read_profiles().default == "b"
    assert run(warren, ["profiles", "rm", "a", "-q"]).stdout == "a\n"
    assert run(warren, ["profiles", "use", "a"]).exit_code == 2


@pytest.mark.parametrize("name", ["", "-x y", "a b", "../a", "a" * 65])
def test_a_name_is_short_and_plain(name: str) -> None:
    told = CliRunner().invoke(warren, ["login", "--url", URL, "--no-key", "--", name])
    assert told.exit_code == 2
    assert "is no name" in told.stderr
