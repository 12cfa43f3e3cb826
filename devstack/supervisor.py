"""Run programs under supervisord: its configuration, its start and its end."""

import hashlib
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2
from supervisor.datatypes import dict_of_key_value_pairs

from devstack.program import MARK, Program, ProgramError, inherited, tail

# Systems differ from 104 upwards, and supervisord binds to a longer name first.
LONGEST_SOCKET_PATH = 90

# One connection is one file; a load test opens thousands.
OPEN_FILES = 8192


def start(run: Path, programs: Iterable[Program]) -> None:
    """Start supervisord in the background, and it the programs. Raises `ProgramError`."""
    (run / "log").mkdir(exist_ok=True)
    configuration = run / "supervisord.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(render(socket(run), programs))
    log = run / "log" / "supervisord.log"
    with log.open("ab") as output:
        ended = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", configuration.name],
            cwd=run,
            env=inherited() | {MARK: str(run)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        raise ProgramError(f"supervisord did not start:\n{tail(log)}")


def stop(run: Path, seconds: float = 90) -> None:
    """End the programs, the last one first, and supervisord. Raises `ProgramError`."""
    with suppress(httpx2.TransportError, xmlrpc.client.Fault):
        call(run, "shutdown")
    deadline = monotonic() + seconds
    while answers(run) and monotonic() < deadline:
        sleep(0.1)
    # Whatever a program left behind, or a supervisord that was killed.
    for signal_number, patience in ((0, 1), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        for pid in leftovers(run):
            with suppress(ProcessLookupError):
                os.kill(pid, signal_number)  # 0 does nothing
        deadline = monotonic() + patience
        while pids := leftovers(run):
            if monotonic() > deadline:
                break
            sleep(0.1)
        else:
            return
    raise ProgramError(f"these processes do not end: {', '.join(map(str, pids))}")


def answers(run: Path) -> bool:
    """Tell whether there is a supervisord, be it on its way out."""
    try:
        call(run, "getPID")
    except xmlrpc.client.Fault:
        return True
    except httpx2.TransportError:
        return False
    return True


def is_running(run: Path) -> bool:
    """Tell whether the supervisord of this folder is at work."""
    try:
        return bool(call(run, "getState")["statename"] == "RUNNING")
    except (httpx2.TransportError, xmlrpc.client.Fault):
        return False


def states(run: Path) -> dict[str, str]:
    """Ask for the state of each program: RUNNING, STARTING, BACKOFF, FATAL..."""
    return {each["name"]: each["statename"] for each in call(run, "getAllProcessInfo")}


def call(run: Path, method: str) -> Any:
    """Call a method of supervisord's XML-RPC interface."""
    request = xmlrpc.client.dumps((), f"supervisor.{method}")
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket(run)))) as client:
        answer = client.post("http://supervisord/RPC2", content=request)
    ((result,), _) = xmlrpc.client.loads(answer.content)
    return result


def socket(run: Path) -> Path:
    """Say where supervisord listens: in its folder, if a socket may have such a long path."""
    path = run / "supervisor.sock"
    if len(bytes(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(bytes(run)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"warren-{name}.sock"


def leftovers(run: Path) -> list[int]:
    """Find the processes this folder's supervisord has started that still live (Linux only)."""
    mark = f"{MARK}={run}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone meanwhile, or somebody else's
            if mark in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def render(socket: Path, programs: Iterable[Program]) -> str:
    """Render supervisord.conf."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = OPEN_FILES if limit == resource.RLIM_INFINITY else min(limit, OPEN_FILES)
    sections = [
        "[unix_http_server]",
        f"file={escape(str(socket))}",
        "chmod=0600",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[supervisord]",
        "logfile=log/supervisord.log",
        "pidfile=supervisord.pid",
        "childlogdir=log",
        f"minfds={files}",
        "umask=077",
        *(["user=root"] if os.getuid() == 0 else []),  # else it complains that nobody said so
    ]
    for priority, program in enumerate(programs):
        environment = ",".join(variable(key, value) for key, value in program.environment.items())
        sections += [
            f"[program:{program.name}]",
            f"command={escape(shlex.join(program.command))}",
            f"directory={escape(str(program.folder))}",
            f"environment={escape(environment)}",
            f"priority={priority}",
            f"stopwaitsecs={program.stop_seconds}",
            f"stdout_logfile=log/{program.name}.log",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=1",
            "redirect_stderr=true",
            "autorestart=true",
            "startsecs=10",  # one that ends earlier has not started
            "startretries=3",
            "killasgroup=true",
        ]
    return "\n".join(sections) + "\n"


def escape(value: str) -> str:
    """Write a value as supervisord.conf wants it, where % starts an expression."""
    return value.replace("%", "%%")


def variable(name: str, value: str) -> str:
    """Write a variable as supervisord reads it. Raises `ProgramError` where that is impossible."""
    for quote in "\"'":
        written = f"{name}={quote}{value}{quote}"
        with suppress(ValueError):
            if dict_of_key_value_pairs(written) == {name: value}:
                return written
    raise ProgramError(
        f"{name}: supervisord cannot pass on both kinds of quotes; change it in .run/env"
    )
