"""Ask about every image in a folder, and write each answer beside its image.

`python -m warren_client.image_folder FOLDER --model ID` writes the answer about cat.jpg to
cat.jpg.json. It skips an image that has an answer, so an interrupted run goes on where it stopped.
Where Warren needs an API key, it is that of the environment variable WARREN_API_KEY.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import click
import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from warren_client.errors import Misconfigured
from warren_client.image_requests import Call, Combine, Failed, ImageClient, Question
from warren_client.profiles import DEFAULT_URL, find_server
from warren_client.trust import trusted

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
CONNECT_SECONDS = 10
INTERRUPTED = 130


@dataclass
class Outcome:
    """How many images were answered, and why others were not."""

    answered: int = 0
    failed: dict[Path, str] = field(default_factory=dict)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--call", type=click.Choice(get_args(Call)), default="predict", show_default=True)
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    help="Its id; again for each model of parallel, for sync_async the fast one first.",
)
@click.option(
    "--combine", type=click.Choice(get_args(Combine)), help="How parallel makes one answer of all."
)
@click.option("--at-once", type=click.IntRange(1, 1000), default=8, show_default=True)
@click.option("--seconds", default=600.0, show_default=True, help="How long an image may take.")
@click.option("--again", is_flag=True, help="Ask also about images that have an answer.")
@click.option(
    "--url", envvar="WARREN_URL", default=DEFAULT_URL, show_default=True, help="Where the API is."
)
def main(
    folder: Path,
    call: Call,
    models: tuple[str, ...],
    combine: Combine | None,
    at_once: int,
    seconds: float,
    again: bool,
    url: str,
) -> None:
    """Ask about the images; exit with status 1 if one was not answered."""
    try:
        question = Question(call, models, combine)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    images = list(walk(folder))
    if not images:
        raise click.ClickException(f"no image in {folder}: it looks for {', '.join(SUFFIXES)}")
    asked = [image for image in images if again or not beside(image).exists()]
    outcome = Outcome()
    status = 0
    try:
        asyncio.run(ask_all(url, question, asked, at_once, seconds, outcome))
    except Misconfigured as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        status = INTERRUPTED
    print(f"{outcome.answered} answered, {len(outcome.failed)} failed", end="")
    known = len(images) - len(asked)
    print(f", {known} had an answer already (--again asks anew)" if known else "")
    for image, why in sorted(outcome.failed.items()):
        print(f"{image}: {why}")
    sys.exit(status or (1 if outcome.failed else 0))


def walk(folder: Path) -> Iterator[Path]:
    """Yield the images of a folder and of all below it, in order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield path


def beside(image: Path) -> Path:
    """Return where the answer about an image is written."""
    return image.with_name(f"{image.name}.json")


async def ask_all(
    address: str,
    question: Question,
    images: list[Path],
    at_once: int,
    seconds: float,
    outcome: Outcome,
    client: Callable[[httpx2.AsyncClient], ImageClient] = ImageClient,
) -> None:
    """Ask about the images, several at a time, with a progress bar."""
    waiting = iter(images)
    columns = [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    failures = TextColumn("{task.fields[failed]} failed")
    limits = httpx2.Limits(max_connections=at_once)
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    server = find_server(address)
    # The machine's proxy settings do not apply to 127.0.0.1.
    async with httpx2.AsyncClient(
        base_url=server.url,
        limits=limits,
        timeout=timeout,
        trust_env=False,
        headers={"X-API-Key": server.api_key} if server.api_key else {},
        verify=trusted(server.ca_file),
    ) as http:
        warren = client(http)
        console = Console(stderr=True)
        with Progress(
            *columns, failures, console=console, disable=not console.is_terminal
        ) as progress:
            bar = progress.add_task("", total=len(images), failed=0)

            async def worker() -> None:
                for image in waiting:  # all workers share the iterator
                    try:
                        async with asyncio.timeout(seconds):
                            content = await asyncio.to_thread(image.read_bytes)
                            answer = await warren.ask(question, content)
                        write(beside(image), answer)
                        outcome.answered += 1
                    except TimeoutError:
                        outcome.failed[image] = f"no answer in {seconds:g} s"
                    except (Failed, OSError) as error:
                        outcome.failed[image] = str(error)
                    progress.update(bar, advance=1, failed=len(outcome.failed))

            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(worker())


def write(path: Path, answer: dict[str, Any]) -> None:
    """Write the whole file or none."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(json.dumps(answer, indent=1) + "\n")
        partial.replace(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


if __name__ == "__main__":
    main()
