"""A command with the options that all commands share."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from warren_cli.session import session_of


class Command(click.Command):
    """A command that has `--json`, `-q`, `--url`, `--profile` and `--debug` besides its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Make it."""
        super().__init__(*arguments, **options)
        self.params += shared_options()


class Commands(click.Group):
    """A group of such commands."""

    command_class = Command


def shared_options() -> list[click.Parameter]:
    """Return the options that go into the session and not to the command."""
    return [
        _option("as_json", "--json", is_flag=True, help="Print one JSON object and nothing else."),
        _option("quiet", "-q", "--quiet", is_flag=True, help="Print only the id."),
        _option("url", "--url", metavar="URL", help="Where Warren is."),
        _option(
            "profile",
            "--profile",
            metavar="NAME",
            help="The profile to use; see `warren login`.",
            shell_complete=complete_profile,
        ),
        _option("debug", "--debug", is_flag=True, help="Show where an unexpected error is from."),
    ]


def _option(name: str, *flags: str, **more: Any) -> click.Option:
    return click.Option([name, *flags], expose_value=False, callback=_keep(name), **more)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None and not context.resilient_parsing:
            setattr(session_of(context), name, value)

    return keep


def complete_profile(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return the profiles whose name begins so; none if their file cannot be read."""
    from warren_cli.profiles import profile_names

    return [CompletionItem(name) for name in profile_names() if name.startswith(begun)]
