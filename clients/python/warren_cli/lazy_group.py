"""A group that imports a command only when it is run or described, so that each start is quick."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

Table = dict[str, tuple[str, str]]
"""Of each command where it is, as `module:name`, and what it does, in a few words."""


class LazyGroup(click.Group):
    """A group whose commands stand in a table."""

    def __init__(self, *arguments: Any, table: Table, **options: Any) -> None:
        """Make the group; nothing is imported yet."""
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the table."""
        return list(self.table)

    def get_command(self, _context: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; return None if there is none of this name."""
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name][0].partition(":")
        found = getattr(import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, without an import."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        named = [
            CompletionItem(name, help=text)
            for name, (_, text) in self.table.items()
            if name.startswith(incomplete)
        ]
        return named + options

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises `click.UsageError`, which names the nearest one."""
        if args[0] not in self.table and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.table, 1)
            hint = f", but there is {near[0]}" if near else ""
            ctx.fail(f"there is no command {args[0]}{hint}; `{ctx.command_path} --help` lists all")
        return super().resolve_command(ctx, args)
