"""What a private RabbitMQ node reads: its folder, its environment and its user."""

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.program import Program, find

ETC = Path(__file__).parents[1] / "rabbitmq" / "etc"
USER = "warren"

# Not /usr/sbin: Debian's wrapper there runs the node as a user of its own.
SERVER_FOLDERS = (
    "/usr/lib/rabbitmq/bin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
ERLANG_FOLDERS = ("/usr/lib/erlang/bin", "/opt/homebrew/bin", "/usr/local/bin")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node, bound to 127.0.0.1; its folder holds all it writes."""

    folder: Path
    password: str = field(repr=False)
    amqp: int
    management: int
    prometheus: int
    #: How Erlang nodes find and reach each other; RabbitMQ wants it even when it is alone.
    epmd: int
    distribution: int
    #: How often the management API looks; seconds are an eternity for a test.
    statistics_ms: int = 5000
    #: The system whose RabbitMQ runs, by chroot; it has the folder too, by the same path.
    root: str | None = None

    def settings(self) -> dict[str, str]:
        """Name what a client needs, as the applications read it."""
        return {
            "RABBITMQ_HOST": "127.0.0.1",
            "RABBITMQ_PORT": str(self.amqp),
            "RABBITMQ_USER": USER,
            "RABBITMQ_PASSWORD": self.password,
            "RABBITMQ_VHOST": "/",
            "RABBITMQ_MANAGEMENT_PORT": str(self.management),
            "RABBITMQ_PROMETHEUS_PORT": str(self.prometheus),
        }

    def command(self, name: str, folders: Sequence[str]) -> list[str]:
        """Find a program in the node's system, which is Debian if it is not this one."""
        if self.root:
            return ["chroot", self.root, f"{folders[0]}/{name}"]
        return [find(name, folders)]

    def prepare(self) -> tuple[Program, Program]:
        """Write the files of the node; return what to run, the port mapper first."""
        definitions = self.folder / "definitions"
        definitions.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        shutil.copyfile(ETC / "definitions.json", definitions / "definitions.json")
        shutil.copyfile(ETC / "enabled_plugins", self.folder / "enabled_plugins")
        (definitions / "users.json").write_text(json.dumps(users(self.password)))
        (self.folder / "rabbitmq.conf").write_text(self._config(definitions))
        (self.folder / "rabbitmq-env.conf").touch()
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)  # Erlang refuses one that others can read
        epmd = Program(
            name="epmd",
            command=[
                *self.command("epmd", ERLANG_FOLDERS),
                *("-address", "127.0.0.1", "-port", str(self.epmd)),
            ],
            folder=self.folder,
        )
        server = Program(
            name="rabbitmq",
            command=self.command("rabbitmq-server", SERVER_FOLDERS),
            folder=self.folder,
            environment=self._environment(),
            stop_seconds=30,
        )
        return epmd, server

    def _config(self, definitions: Path) -> str:
        """Render the product's rabbitmq.conf with the definitions and addresses of this node."""
        lines = (ETC / "rabbitmq.conf").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("load_definitions")]
        return "\n".join(
            [
                *kept,
                "",
                f"load_definitions = {definitions}",
                f"listeners.tcp.local = 127.0.0.1:{self.amqp}",
                "management.tcp.ip = 127.0.0.1",
                f"management.tcp.port = {self.management}",
                "prometheus.tcp.ip = 127.0.0.1",
                f"prometheus.tcp.port = {self.prometheus}",
                f"collect_statistics_interval = {self.statistics_ms}",
                "",
            ]
        )

    def _environment(self) -> dict[str, str]:
        """Keep the broker in its folder: it touches nothing of the system's own node."""
        here = str(self.folder)
        return {
            "HOME": here,
            "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *ERLANG_FOLDERS]),
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": "warren@localhost",
            "RABBITMQ_CONF_ENV_FILE": f"{here}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{here}/conf.d",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{here}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{here}/data",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{here}/rabbitmq.pid",
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self.epmd),
            # An Erlang that misses epmd would start one as a daemon, which outlives us.
            "ERL_FLAGS": "-start_epmd false",
            "ERL_CRASH_DUMP": f"{here}/erl_crash.dump",
            # Makes the start script become the broker, so that our signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def users(password: str) -> dict[str, list[dict[str, str | list[str]]]]:
    """Define the only user, with all permissions."""
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "users": [
            {
                "name": USER,
                "password_hash": base64.b64encode(salt + digest).decode(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            }
        ],
        "permissions": [
            {"user": USER, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
        ],
    }
