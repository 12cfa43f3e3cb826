"""The local stack: `python -m devstack.stack up|down|logs|status`."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from devstack import env_file, layout, supervisor
from devstack.console import complain, say
from devstack.layout import ROOT, RUN
from devstack.program import ProgramError, inherited, tail
from warren_client.client import Api, ApiError

READY_SECONDS = 90

HINT = "`make logs` shows more, `make down` stops everything."

# Whose log tells why a part of /health/all does not work.
CULPRITS = {
    "API": "producer",
    "broker": "rabbitmq",
    "database": "producer",
    "queue.model.train": "consumer",
    "queue.model.predict": "consumer",
    "queue.model.predict.async": "consumer",
    "queue.model.invoke": "consumer",
}


def up() -> None:
    """Start what does not run yet, and wait until all of it works."""
    if supervisor.is_running(RUN):
        settings = layout.running(os.environ)
        say("The stack is running already")
    else:
        supervisor.stop(RUN)  # leftovers of a supervisord that was killed
        settings, programs = layout.make(os.environ)
        say("Bringing the database up to date")
        migrate(settings)
        say(f"Starting {', '.join(program.name for program in programs)}")
        supervisor.start(RUN, programs)
    api = Api(layout.api_address(settings))
    wait_until_ready(api)
    add_example_data(settings)
    print(addresses(settings))


def down() -> None:
    """Stop everything; the data stay."""
    say("Stopping the stack")
    supervisor.stop(RUN)
    say("Nothing runs any more; the data are still in .run")


def logs() -> None:
    """Follow the logs of all programs until interrupted."""
    files = sorted(str(log.relative_to(ROOT)) for log in (RUN / "log").glob("*.log"))
    if not files:
        raise ProgramError("there are no logs yet: `make up` starts the stack")
    os.chdir(ROOT)
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])


def status() -> None:
    """Print the state of each program and what does not work."""
    if not supervisor.is_running(RUN):
        raise ProgramError("the stack does not run: `make up` starts it")
    for name, state in supervisor.states(RUN).items():
        print(f"{name:10} {state}")
    settings, _ = env_file.last_start(RUN)
    if missing := Api(layout.api_address(settings)).not_ready():
        raise ProgramError(f"not ready: {', '.join(missing)}")
    print(addresses(settings))


def migrate(settings: dict[str, str]) -> None:
    """Make or change the tables."""
    run_module(settings, "alembic", "upgrade", "head")


def run_module(settings: dict[str, str], *arguments: str) -> str:
    """Run `python -m` to its end with the settings of the applications; return what it printed.

    Raises `ProgramError`.
    """
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=inherited() | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise ProgramError(f"python -m {' '.join(arguments)} failed:\n{ended.stderr}")
    return ended.stdout


def wait_until_ready(api: Api) -> None:
    """Wait for the API's own word that everything works. Raises `ProgramError`."""
    started, shown = monotonic(), None
    while missing := api.not_ready():
        if missing != shown:
            say(f"Waiting for {', '.join(missing)}")
            shown = missing
        states = supervisor.states(RUN)
        given_up = [name for name, state in states.items() if state == "FATAL"]
        if given_up or monotonic() > started + READY_SECONDS:
            raise ProgramError(report(given_up or missing))
        sleep(0.2)
    say("Everything works")


def report(culprits: list[str]) -> str:
    """Say what does not work, with the end of the logs that may tell why."""
    names = {CULPRITS.get(culprit, culprit) for culprit in culprits}
    logs = [RUN / "log" / f"{name}.log" for name in sorted(names)]
    ends = [f"--- {log.relative_to(ROOT)}\n{tail(log)}" for log in logs if log.exists()]
    return "\n".join([f"{', '.join(culprits)} not ready", *ends, "", HINT])


def add_example_data(settings: dict[str, str]) -> None:
    """Store what the examples of the API's pages name, and say what was missing."""
    for line in run_module(settings, "app.cli.example_data").splitlines():
        say(line)


def addresses(settings: dict[str, str]) -> str:
    """Say where everything is, and how to log in to the stack's own servers."""
    api = layout.api_address(settings)
    lines = [f"API         {api}", f"API pages   {api}/docs and {api}/redoc"]
    if port := settings.get("RABBITMQ_MANAGEMENT_PORT"):
        login = f"user {settings['RABBITMQ_USER']}, password {settings['RABBITMQ_PASSWORD']}"
        lines.append(f"RabbitMQ    http://127.0.0.1:{port}  ({login})")
        lines.append(f"AMQP        127.0.0.1:{settings['RABBITMQ_PORT']}  (the same user)")
    else:
        lines.append(f"RabbitMQ    at {settings['RABBITMQ_HOST']}, not of this stack")
    whose = "keys in .run/env" if "S3_PORT" in settings else "not of this stack"
    lines.append(f"S3          {settings['AWS_ENDPOINT_URL']}  ({whose})")
    end = "`make logs` follows the logs, `make down` stops everything."
    return "\n".join(["", *(f"  {line}" for line in lines), "", f"  {end}", ""])


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second `up` or `down` of this checkout waiting."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    with (RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(command: str = "") -> int:
    """Run a command and return the exit status."""
    try:
        match command:
            case "up" | "down":
                with alone():
                    up() if command == "up" else down()
            case "logs":
                logs()
            case "status":
                status()
            case _:
                complain("say one of: up, down, logs, status")
                return 2
    except (ProgramError, ApiError, OSError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
