"""The nginx of docs/operations.md, in front of a producer."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from app.runtime import raise_open_file_limit
from devstack import ports
from devstack.layout import ROOT
from tests.system.support.processes import SECONDS, until
from tests.system.support.programs import program

PAGE = ROOT / "docs" / "operations.md"
PREFIX = "/warren"

MAIN = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
{servers}
}}
"""


def documented() -> str:
    """Return the configuration that the page shows."""
    (found,) = re.findall(r"^```nginx\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


@contextmanager
def serving(servers: str, producer: httpx2.Client, folder: Path) -> Iterator[httpx2.Client]:
    """Run nginx with the documented configuration, or a change of it; yield a client for it."""
    (port,) = ports.unused(1)
    for shown, meant in (
        ("server 127.0.0.1:5000;", f"server 127.0.0.1:{producer.base_url.port};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    ):
        assert shown in servers
        servers = servers.replace(shown, meant)
    configuration = folder / "nginx.conf"
    configuration.write_text(MAIN.format(folder=folder, servers=servers))
    raise_open_file_limit()  # nginx inherits it
    files = ("-p", folder, "-c", configuration, "-e", folder / "error.log")
    nginx = subprocess.Popen([program("nginx"), *files])
    try:
        until(lambda: listens(nginx, port), "nginx listens")
        address = f"http://127.0.0.1:{port}{PREFIX}"
        with httpx2.Client(base_url=address, timeout=SECONDS, trust_env=False) as client:
            yield client
    finally:
        nginx.terminate()
        nginx.wait(SECONDS)


def listens(nginx: subprocess.Popen[bytes], port: int) -> bool:
    assert nginx.poll() is None, "nginx has ended"
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
