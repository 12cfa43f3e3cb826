"""Look at the dead letters, replay them, delete them: `python -m app.deadletters --help`."""

import json
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

import click

from app import errors, strict_json
from app.amqp import dead_letters
from app.amqp.dead_letters import Letter
from app.amqp.topology import DEAD_LETTER_QUEUE
from app.observability import logs
from app.settings import Settings

WIDEST = 40  # characters of a column in the table


class Commands(click.Group):
    """A group whose commands end with one line and status 1 when something is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except errors.WarrenError as error:
            raise click.ClickException(visible(error.detail)) from None


@click.group(cls=Commands)
@click.pass_context
def main(context: click.Context) -> None:
    """Look at the dead letters, replay them, delete them.

    These are the messages of queue.model.dead: what was no valid request, or came back too often.
    """
    context.obj = Settings()
    logs.configure("WARNING")


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the messages it is about: IDs, or --all."""
    command = click.option("--all", "everything", is_flag=True, help="All there are now.")(command)
    return click.argument("names", metavar="[ID]...", nargs=-1)(command)


def check(names: Collection[str], everything: bool) -> None:
    """Refuse neither and both."""
    if bool(names) == everything:
        raise click.UsageError("name messages by their IDs, or say --all")


@main.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """Say what there is, the oldest first, one line a message."""
    with dead_letters.opened(settings) as box:
        total = box.total
        rows = [outline(letter) for letter in islice(box.letters, limit)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    elif rows:
        click.echo(table(rows))
    click.echo(f"{len(rows)} of {total} messages in {DEAD_LETTER_QUEUE}", err=True)


@main.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def show(settings: Settings, names: tuple[str, ...]) -> None:
    """Print messages with all that they hold."""
    with dead_letters.opened(settings) as box:
        found = list(box.choose(names))
    for letter in found:
        click.echo("\n".join(map(visible, description(letter))))


@main.command()
@chosen
@click.option("--to", metavar="QUEUE", help="Where to, if not to the queue it comes from.")
@click.pass_obj
def replay(settings: Settings, names: tuple[str, ...], everything: bool, to: str | None) -> None:
    """Publish messages again, to the queue they come from, and then delete them here.

    A crash in between leaves a message in both queues, never in none.
    """
    check(names, everything)
    if to == DEAD_LETTER_QUEUE:
        raise click.UsageError(f"{DEAD_LETTER_QUEUE} is where they are")
    sent, stay = [], []
    with dead_letters.opened(settings) as box:
        for letter in box.choose(names):
            try:
                box.replay(letter, to)
                sent.append((letter.name, letter.late))
            except errors.WarrenError as error:
                stay.append(f"{letter.name} stays where it is: {error.detail}")
    for name, late in sent:
        if late:
            click.echo(f"{name} had a deadline: nobody waits for its reply any more", err=True)
    click.echo(f"{len(sent)} replayed")
    if stay:
        raise click.ClickException(visible("; ".join(stay)))


@main.command()
@chosen
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def purge(settings: Settings, names: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Delete messages for good."""
    check(names, everything)
    count = len(set(names))
    if everything:
        with dead_letters.opened(settings) as box:
            count = box.total
    if not yes:  # asked while nothing is held and no connection waits
        click.confirm(f"Delete {count} of the dead letters for good?", abort=True)
    deleted = 0
    with dead_letters.opened(settings) as box:
        for letter in islice(box.choose(names), count):
            box.remove(letter)
            deleted += 1
    click.echo(f"{deleted} deleted")


def outline(letter: Letter) -> dict[str, Any]:
    """Return what `list` says of a message."""
    return {
        "id": letter.name,
        **{key: dead_letters.plain(letter.death.get(key)) for key in ("time", "queue", "reason")},
        "job_id": letter.job_id,
        "size": len(letter.body),
        "body": dead_letters.plain(letter.body[: 4 * WIDEST])[:WIDEST],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows below the names of their columns."""
    cells = [
        [visible("-" if cell is None else str(cell)) for cell in each.values()] for each in rows
    ]
    lines = [list(rows[0]), *([cell[:WIDEST] for cell in line] for line in cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def description(letter: Letter) -> Iterator[str]:
    """Yield the lines of what `show` says of a message."""
    yield f"message {letter.name}"
    for name, value in sorted(dead_letters.plain(vars(letter.properties)).items()):
        if name != "headers" and value is not None:
            yield f"  {name}: {readable(value)}"
    for name, value in dead_letters.plain(letter.headers).items():
        yield f"  header {name}: {readable(value)}"
    yield f"  body, {len(letter.body)} bytes:"
    try:
        yield from readable(strict_json.loads(letter.body), indent=2).splitlines()
    except errors.Malformed:
        try:
            yield repr(letter.body.decode())
        except UnicodeDecodeError:
            yield repr(letter.body)


def readable(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, for people."""
    return json.dumps(value, ensure_ascii=False, default=str, indent=indent)


def visible(text: str) -> str:
    """Return a line without what a terminal would obey: escapes, other controls, bidi overrides."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


if __name__ == "__main__":
    main()
