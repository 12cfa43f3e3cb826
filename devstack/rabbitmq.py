"""A RabbitMQ node of our own that is started and stopped from Python, for the tests."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx2

from app.amqp.permissions import RIGHTS
from app.amqp.users import User, new_password
from devstack import ports
from devstack.authority import Authority
from devstack.program import ProgramError, find, inherited
from devstack.rabbitmq_node import CERTIFIED, ETC, SERVER_FOLDERS, SERVICES, Node
from devstack.subprocesses import Children


class Broker:
    """A node and its management API.

    A context manager: started on entering, gone on leaving. `stop` and `start` in between find the
    durable queues again.
    """

    def __init__(self, node: Node) -> None:
        """Write what the node reads. Raises `ProgramError` where RabbitMQ is not installed."""
        self.node = node
        self._programs = node.prepare()
        self._children = Children(node.folder / "output.log")
        self._http = httpx2.Client(
            base_url=f"http{'s' if node.authority else ''}://127.0.0.1:{node.management}/api",
            timeout=30,
            verify=node.authority.trust() if node.authority else True,
            trust_env=False,  # a proxy of the machine has no business here
        )
        operator, *_, tools = node.users()
        self._operator, self._administrator = operator[1:], tools[1:]

    @classmethod
    def on_free_ports(cls, folder: Path, authority: Authority | None = None) -> Self:
        """Make one for a test session: free ports, a password of its own.

        `RABBITMQ_ROOT` names another system on this machine to take RabbitMQ from.
        """
        amqp, management, prometheus, epmd, distribution = ports.unused(5)
        roles = [role for role in SERVICES if not (authority and role in CERTIFIED)]
        return cls(
            Node(
                folder=folder,
                password=secrets.token_urlsafe(18),
                passwords={role: new_password() for role in roles},
                amqp=amqp,
                management=management,
                prometheus=prometheus,
                epmd=epmd,
                distribution=distribution,
                statistics_ms=200,
                root=os.environ.get("RABBITMQ_ROOT"),
                authority=authority,
            )
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()
        self._http.close()

    def start(self, timeout: float = 60) -> None:
        """Start the node and wait until it takes connections. Raises `ProgramError`."""
        epmd, server = self._programs
        try:
            self._children.start(epmd, lambda: not ports.is_free(self.node.epmd), 10)
            self._children.start(server, self.is_ready, timeout)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the node as an operator would."""
        self._children.stop()

    def kill(self) -> None:
        """End the node as a power cut would."""
        self._children.kill()

    def is_ready(self) -> bool:
        """Tell whether clients can connect, which is the last step of a boot."""
        try:
            path = f"health/checks/port-listener/{self.node.amqp}"
            return self._http.get(path, auth=self._administrator).is_success
        except httpx2.TransportError:
            return False

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the management API: `api("GET", "queues/%2F")`."""
        # An administrator has no rights to the queues of a vhost.
        user = self._operator if path.startswith("queues/") else self._administrator
        answer = self._http.request(method, path, json=body, auth=user)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node: `ctl("set_disk_free_limit", "1GB")`."""
        environment = inherited() | self._programs[1].environment
        command = [find("rabbitmqctl", SERVER_FOLDERS), "--quiet", *arguments]
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise ProgramError(f"rabbitmqctl {arguments[0]} failed:\n{ended.stderr}")
        return ended.stdout.strip()

    def new_vhost(self, name: str | None = None) -> str:
        """Make a vhost with the product's queues and policies."""
        name = name or f"test-{secrets.token_hex(6)}"
        vhost = quote(name, safe="")
        self.api("PUT", f"vhosts/{vhost}", {})
        self.grant(name, self.node.users())
        self.api("POST", f"definitions/{vhost}", definitions_of_a_vhost())
        return name

    def grant(self, vhost: str, users: Iterable[User]) -> None:
        """Give users the rights of their roles in a vhost."""
        permissions = [
            {"user": each.name, "vhost": vhost, **RIGHTS[each.role].patterns} for each in users
        ]
        self.api("POST", "definitions", {"permissions": permissions})

    def delete_vhost(self, name: str) -> None:
        """Remove a vhost and all that is in it; its connections are closed."""
        self.api("DELETE", f"vhosts/{quote(name, safe='')}")


def definitions_of_a_vhost() -> dict[str, list[dict[str, Any]]]:
    """Read the product's definitions, in the form in which one vhost takes them."""
    definitions = json.loads((ETC / "definitions.json").read_text())
    return {
        kind: [{key: value for key, value in item.items() if key != "vhost"} for item in items]
        for kind, items in definitions.items()
        if kind != "vhosts"
    }
