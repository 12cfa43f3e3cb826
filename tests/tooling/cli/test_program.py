"""The program `warren` itself: its commands, how it starts, how errors end it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app import errors
from app.cli.commands import Failure as OperatorFailure
from devstack import ports
from devstack.layout import ROOT
from devstack.program import inherited
from warren_cli import exit_codes
from warren_cli.failures import end
from warren_cli.lazy_group import LazyGroup
from warren_cli.operator_commands import has_module, operator_commands
from warren_cli.program import warren
from warren_cli.session import Session
from warren_client import errors as of_client

PATH = f"{ROOT}:{ROOT / 'clients' / 'python'}"
MEASURE = """
import sys
from warren_cli.program import warren
try:
    warren(["{command}", "--help"] if "{command}" else ["--help"])
except SystemExit:
    loaded = {{"warren_client", "httpx2", "rich", "sqlalchemy"}} & set(sys.modules)
    print(*loaded)
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(warren, arguments)


def leaves(
    group: click.Group = warren, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield all commands that do something, with the words by which they are called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


LEAVES = dict(leaves())


@pytest.fixture
def unused() -> str:
    """An address where nobody listens."""
    (port,) = ports.unused(1)
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_prints_json_if_asked_and_says_what_it_does(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    assert command.help
    if path != ("completion",):
        assert "--json" in [name for each in command.params for name in each.opts]
    told = run(*path, "--help")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"Usage: warren {' '.join(path)} ")


def test_the_table_says_what_each_command_is() -> None:
    assert isinstance(warren, LazyGroup)
    told = run("--help").stdout
    for name, (_, text) in warren.table.items():
        assert f"  {name} " in told
        assert text in told


@pytest.mark.parametrize("command", ["", "jobs", "train", "models", "profiles", "login", "score"])
def test_help_loads_neither_the_client_nor_the_server(command: str) -> None:
    code = MEASURE.format(command=command)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == ""


def test_without_the_server_there_are_no_operators_commands() -> None:
    assert {"up", "down", "keys", "doctor"} <= set(operator_commands())
    assert operator_commands(has=lambda _: False) == {}
    assert not has_module("app.cli.nothing")
    assert not has_module("nothing.cli.plug_in")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (of_client.Unreachable("gone"), exit_codes.UNREACHABLE),
        (of_client.Unavailable("down", status=503), exit_codes.UNREACHABLE),
        (of_client.Unauthenticated("who?"), exit_codes.NOT_ALLOWED),
        (of_client.Forbidden("no"), exit_codes.NOT_ALLOWED),
        (of_client.NotFound("no such"), exit_codes.NOT_FOUND),
        (of_client.Gone("deleted"), exit_codes.NOT_FOUND),
        (of_client.Misconfigured("bad"), exit_codes.USAGE),
        (of_client.WaitTimeout("late"), exit_codes.OUT_OF_TIME),
        (of_client.DeadlineExceeded("late"), exit_codes.OUT_OF_TIME),
        (of_client.Conflict("taken"), exit_codes.OTHER),
        (of_client.WarrenError("odd"), exit_codes.OTHER),
        (OperatorFailure(errors.DatabaseUnavailable("down")), exit_codes.UNREACHABLE),
        (OperatorFailure(errors.NotFound("key", "no")), exit_codes.NOT_FOUND),
        (click.ClickException("2 things are wrong"), exit_codes.FAILED),
        (click.UsageError("not so"), exit_codes.USAGE),
        (KeyboardInterrupt(), exit_codes.INTERRUPTED),
        (RuntimeError("boom"), exit_codes.OTHER),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_a_code_a_sentence_and_with_json_an_object(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(error, Session(as_json=True)) == code
    out, err = capsys.readouterr()
    (found,) = json.loads(out).values()
    assert found["exit_code"] == code
    assert code in exit_codes.MEANINGS
    assert err == f"Error: {found['detail']}\n"
    assert end(error, Session()) == code
    assert capsys.readouterr().out == ""


def test_the_problem_document_is_in_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"type": "quota_exceeded", "status": 429, "detail": "too many", "limit": 3}
    error = of_client.QuotaExceeded("too many", status=429, problem=problem)
    end(error, Session(as_json=True))
    assert json.loads(capsys.readouterr().out) == {
        "error": {**problem, "exit_code": exit_codes.OTHER}
    }


@pytest.mark.parametrize("error", [KeyboardInterrupt(), of_client.Unreachable("no answer")])
def test_a_job_that_goes_on_is_told(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    end(error, Session(job_id="j1"))
    assert "job j1 goes on: `warren jobs wait j1` waits for it" in capsys.readouterr().err


def test_an_unexpected_error_is_one_line_unless_more_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    end(RuntimeError("boom"), Session())
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "RuntimeError('boom')" in told
    assert "--debug" in told
    end(RuntimeError("boom"), Session(debug=True))
    assert capsys.readouterr().err.startswith("RuntimeError: boom\n")


def test_a_server_that_is_not_there(unused: str) -> None:
    told = run("jobs", "ls", "--url", unused, "--json")
    assert told.exit_code == exit_codes.UNREACHABLE
    assert json.loads(told.stdout)["error"]["type"] == "unreachable"
    assert told.stderr.startswith(f"Error: no answer from {unused}")


def test_a_stack_that_cannot_start_is_an_error() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "warren_cli", "up", "--json"],
        env=inherited() | {"PYTHONPATH": PATH, "PORT": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == exit_codes.OTHER
    assert json.loads(told.stdout)["error"]["type"] == "stack"
    assert "PORT" in told.stderr


def test_a_command_that_is_not_there_is_told_with_the_nearest() -> None:
    told = run("job", "ls")
    assert told.exit_code == exit_codes.USAGE
    assert "there is no command job, but there is jobs;" in told.stderr


def test_a_missing_command_is_a_usage_error_with_the_help() -> None:
    told = run("jobs")
    assert (told.exit_code, told.stdout) == (exit_codes.USAGE, "")
    assert "Commands:" in told.stderr
    assert told.stderr.endswith("Error: the command is missing\n")


@pytest.mark.parametrize(
    ("shell", "variables", "word"),
    [
        ("bash", {"COMP_WORDS": "warren jo", "COMP_CWORD": "1"}, "jobs"),
        ("zsh", {"COMP_WORDS": "warren jobs ca", "COMP_CWORD": "2"}, "cancel"),
        ("fish", {"COMP_WORDS": "warren models ", "COMP_CWORD": "prom"}, "promote"),
        ("bash", {"COMP_WORDS": "warren key", "COMP_CWORD": "1"}, "keys"),
    ],
)
def test_a_word_is_completed(shell: str, variables: dict[str, str], word: str) -> None:
    told = CliRunner().invoke(
        warren, [], env={"_WARREN_COMPLETE": f"{shell}_complete", **variables}
    )
    assert told.exit_code == 0
    assert word in re.split(r"[,\t\n]", told.stdout)


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    (tmp_path / "warren").write_text(f'#!/bin/sh\nexec {sys.executable} -m warren_cli "$@"\n')
    (tmp_path / "warren").chmod(0o755)
    script = """
eval "$(warren completion bash)"
COMP_WORDS=(warren jobs lo) COMP_CWORD=2
_warren_completion warren
echo "${COMPREPLY[@]}"
"""
    ended = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "logs"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell: str) -> None:
    told = run("completion", shell)
    assert told.exit_code == 0
    assert "_WARREN_COMPLETE" in told.stdout
