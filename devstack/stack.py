"""The local stack: `python -m devstack.stack up|down|logs|status`."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from devstack import env_file, layout, supervisor
from devstack.console import complain, say
from devstack.first_key import calls, first_key, kept_key, needs_keys
from devstack.layout import ROOT, RUN
from devstack.program import ProgramError, tail
from devstack.run_module import run_module
from warren_client import Warren, WarrenError, errors

READY_SECONDS = 90

HINT = "`make logs` shows more, `make down` stops everything."

# Whose log tells why a part of /health/all does not work.
CULPRITS = {
    "API": "producer",
    "API key": "producer",
    "broker": "rabbitmq",
    "database": "producer",
    "queue.model.train": "consumer",
    "queue.model.predict": "consumer",
    "queue.model.predict.async": "consumer",
    "queue.model.invoke": "consumer",
}


def up() -> None:
    """Start the programs that do not run yet, and wait until all of them work."""
    if supervisor.is_running(RUN):
        settings = layout.running(os.environ)
        say("The stack is running already")
        key = first_key(settings, RUN)
    else:
        supervisor.stop(RUN)  # leftovers of a supervisord that was killed
        settings, programs = layout.make(os.environ)
        say("Making the tables of the database, or bringing them up to date")
        migrate(settings)
        key = first_key(settings, RUN)
        say(f"Starting {', '.join(program.name for program in programs)}")
        supervisor.start(RUN, programs)
    wait_until_ready(client(settings, key))
    add_example_data(settings)
    print(addresses(settings, key))


def client(settings: dict[str, str], key: str | None) -> Warren:
    """Return a client of the stack's API, which asks once."""
    url, authority = layout.api_address(settings), layout.ca_file(settings)
    return Warren(url, key, ca_file=authority, max_retries=0)


def down() -> None:
    """Stop everything; the data stay."""
    say("Stopping the stack")
    supervisor.stop(RUN)
    say("Nothing runs any more; the data stay in .run until you delete it")


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
    key = kept_key(RUN) if needs_keys(settings) else None
    if missing := not_ready(client(settings, key)):
        raise ProgramError(f"not ready: {', '.join(missing)}")
    print(addresses(settings, key))


def migrate(settings: dict[str, str]) -> None:
    """Make or change the tables."""
    run_module(settings, "alembic", "upgrade", "head")


def not_ready(warren: Warren) -> list[str]:
    """Name the parts of the stack that do not work yet."""
    try:
        checks = warren.health()["checks"].items()
    except (errors.Unauthenticated, errors.Forbidden):
        return ["API key"]
    except (WarrenError, KeyError):
        return ["API"]
    return [name for name, check in checks if check["status"] != "ok"]


def listed(missing: list[str]) -> str:
    """Name what does not work yet; a queue is not ready until a consumer has it."""
    queues = sum(name.startswith("queue.") for name in missing)
    parts = [name for name in missing if not name.startswith("queue.")]
    return ", ".join([*parts, f"the consumer ({queues} queues)"] if queues else parts)


def wait_until_ready(warren: Warren) -> None:
    """Wait for the API's own word that everything works. Raises `ProgramError`."""
    started, shown = monotonic(), None
    while missing := not_ready(warren):
        if missing != shown:
            say(f"Waiting for {listed(missing)}")
            shown = missing
        states = supervisor.states(RUN)
        given_up = [name for name, state in states.items() if state == "FATAL"]
        if given_up or monotonic() > started + READY_SECONDS:
            raise ProgramError(report(given_up or missing))
        sleep(0.2)
    say("Everything works")


def report(culprits: list[str]) -> str:
    """Name the programs that do not work, with the end of their logs."""
    names = {CULPRITS.get(culprit, culprit) for culprit in culprits}
    logs = [RUN / "log" / f"{name}.log" for name in sorted(names)]
    ends = [f"--- {log.relative_to(ROOT)}\n{tail(log)}" for log in logs if log.exists()]
    return "\n".join([f"{', '.join(culprits)} not ready", *ends, "", HINT])


def add_example_data(settings: dict[str, str]) -> None:
    """Store what the examples of the API's pages name, and say what was missing."""
    for line in run_module(settings, "app.cli.example_data").splitlines():
        say(line)


def addresses(settings: dict[str, str], key: str | None = None) -> str:
    """Say where everything is, and how to log in to the stack's own servers and with the key."""
    api = layout.api_address(settings)
    lines = [
        f"API         {api}",
        f"API pages   {api}/docs and {api}/redoc",
        f"Pages       {api}/ui  (jobs, models, data sets)",
    ]
    ca, tls = layout.ca_file(settings), " with TLS" if settings.get("RABBITMQ_TLS") == "on" else ""
    if port := settings.get("RABBITMQ_MANAGEMENT_PORT"):
        login = f"user {settings['RABBITMQ_USER']}, password {settings['RABBITMQ_PASSWORD']}"
        lines.append(f"RabbitMQ    http{'s' if tls else ''}://127.0.0.1:{port}  ({login})")
        lines.append(f"AMQP        127.0.0.1:{settings['RABBITMQ_PORT']}{tls}  (the same user)")
    else:
        lines.append(f"RabbitMQ    at {settings['RABBITMQ_HOST']}, not of this stack")
    whose = "keys in .run/env" if "S3_PORT" in settings else "not of this stack"
    lines.append(f"S3          {settings['AWS_ENDPOINT_URL']}  ({whose})")
    if ca:
        lines += [f"Authority   {ca}", "            (it has signed all certificates)"]
    if key:
        lines += [f"API key     {key}", "            (all scopes; .run/key keeps it)"]
    if key or ca:
        lines += ["", *calls(api, key, ca).splitlines()]
    end = "`make logs` follows the logs, `make down` stops everything."
    return "\n".join(["", *(f"  {line}".rstrip() for line in lines), "", f"  {end}", ""])


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
    except (ProgramError, WarrenError, OSError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
