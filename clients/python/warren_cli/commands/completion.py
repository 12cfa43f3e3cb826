"""`warren completion SHELL`."""

import click
from click.shell_completion import get_completion_class

from warren_cli.command import Command

_INSTALL = {
    "bash": 'eval "$(warren completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(warren completion zsh)" in ~/.zshrc, after compinit',
    "fish": "warren completion fish > ~/.config/fish/completions/warren.fish",
}


@click.command(cls=Command, epilog="; ".join(f"{k}: {v}" for k, v in _INSTALL.items()))
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the program by which a shell completes what is typed after `warren`."""
    found = get_completion_class(shell)
    assert found
    program = context.find_root().command
    click.echo(found(program, {}, "warren", "_WARREN_COMPLETE").source())
