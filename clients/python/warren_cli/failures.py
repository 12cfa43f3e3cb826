"""How an error ends the program: a sentence on stderr, an object on stdout, a code."""

import sys
import traceback
from collections.abc import Mapping
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from warren_cli import console, exit_codes
from warren_cli.session import Session


class Failure(click.ClickException):
    """The command cannot do what was asked; `members` are those of a problem document."""

    def __init__(self, detail: str, code: int = exit_codes.OTHER, **members: Any) -> None:
        """Make it of a sentence that says what was wrong and what to do."""
        super().__init__(detail)
        self.exit_code = code  # type: ignore[misc]  # click's own errors have one a class
        self.members: Mapping[str, Any] = members


def end(error: BaseException, session: Session) -> int:
    """Tell of an error and return the exit code; with `--json` stdout has one object, too."""
    failure = _failure(error, session)
    if isinstance(error, NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
    elif isinstance(error, click.UsageError) and error.ctx:
        click.echo(error.ctx.get_usage(), err=True)
    if failure.message:
        console.say(f"Error: {failure.message}")
    if session.as_json:
        members = {"detail": failure.message, **failure.members, "exit_code": failure.exit_code}
        console.print_json({"error": members})
    return failure.exit_code


def _failure(error: BaseException, session: Session) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, click.Abort | KeyboardInterrupt):
        text = f"interrupted{_goes_on(session.job_id)}"
        return Failure(text, exit_codes.INTERRUPTED, type="interrupted")
    if isinstance(error, NoArgsIsHelpError):
        return Failure("the command is missing", exit_codes.USAGE, type="usage")
    if isinstance(error, click.ClickException):
        kind = getattr(error, "error_type", None)  # of the operator's commands
        code = exit_codes.code_of(kind) if kind else error.exit_code
        usage = isinstance(error, click.UsageError)
        return Failure(error.format_message(), code, type=kind or ("usage" if usage else "failed"))
    if "warren_client" in sys.modules and (known := _of_client(error, session)):
        return known
    if session.debug:
        traceback.print_exception(error, file=sys.stderr)
    how = "" if session.debug else "; the same with --debug shows where"
    return Failure(f"an error in this program: {error!r}{how}", type="internal")


def _of_client(error: BaseException, session: Session) -> Failure | None:
    from warren_cli.client_errors import failure_of

    return failure_of(error, _goes_on(session.job_id))


def _goes_on(job_id: str | None) -> str:
    """Return what to do about a job that this program does not wait for any more."""
    if job_id is None:
        return ""
    return (
        f"; job {job_id} goes on: `warren jobs wait {job_id}` waits for it, "
        f"`warren jobs cancel {job_id}` ends it"
    )
