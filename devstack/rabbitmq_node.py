"""What a private RabbitMQ node reads: its folder, its environment and its users."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.amqp.permissions import Role
from app.amqp.users import User, new_password, user_definitions
from devstack.authority import Authority, Certificate
from devstack.program import Program, find

ETC = Path(__file__).parents[1] / "rabbitmq" / "etc"
USER = "warren"
VHOST = "/"
#: The users of programs; each has the name `warren-` and its role.
SERVICES = (Role.PRODUCER, Role.CONSUMER, Role.TOOLS)
#: Those that may log in by a certificate; the management API takes only passwords.
CERTIFIED = (Role.PRODUCER, Role.CONSUMER)

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
    #: Of the operator, whose name is `warren`.
    password: str = field(repr=False)
    #: Of the `SERVICES`; with an authority, one without a password logs in by a certificate.
    passwords: Mapping[Role, str] = field(
        default_factory=lambda: {role: new_password() for role in SERVICES}, repr=False
    )
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
    #: Whose certificates encrypt all connections but those among Erlang's own programs.
    authority: Authority | None = None

    def settings(self) -> dict[str, str]:
        """Name what a client needs to log in as the operator, as the applications read it."""
        return {
            "RABBITMQ_HOST": "127.0.0.1",
            "RABBITMQ_PORT": str(self.amqp),
            "RABBITMQ_USER": USER,
            "RABBITMQ_PASSWORD": self.password,
            "RABBITMQ_VHOST": VHOST,
            "RABBITMQ_MANAGEMENT_PORT": str(self.management),
            "RABBITMQ_PROMETHEUS_PORT": str(self.prometheus),
            **self._encryption(),
        }

    def _encryption(self) -> dict[str, str]:
        if self.authority is None:
            return {}
        return {"RABBITMQ_TLS": "on", "RABBITMQ_CA_FILE": str(self.authority.file)}

    def logins(self) -> dict[str, str]:
        """Name the users of the applications and commands, as these read them."""
        found: dict[str, str] = {}
        for role, user, password in self.users()[1:]:
            found[f"RABBITMQ_{role.upper()}_USER"] = user
            if password:
                found[f"RABBITMQ_{role.upper()}_PASSWORD"] = password
            elif self.authority:
                certificate = self.authority.client(user)
                found[f"RABBITMQ_{role.upper()}_CERTIFICATE_FILE"] = str(certificate.both)
        return found

    def users(self) -> list[User]:
        """Return all users, the operator first."""
        services = [User(role, f"{USER}-{role}", self.passwords.get(role, "")) for role in SERVICES]
        return [User(Role.OPERATOR, USER, self.password), *services]

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
        plugins = (ETC / "enabled_plugins").read_text()
        if self.authority:
            plugins = plugins.replace("]", ",rabbitmq_auth_mechanism_ssl]")
        (self.folder / "enabled_plugins").write_text(plugins)
        users = definitions / "users.json"
        users.touch(mode=0o600)
        users.write_text(json.dumps(user_definitions(self.users(), VHOST)))
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
                *self._listeners(),
                f"collect_statistics_interval = {self.statistics_ms}",
                "",
            ]
        )

    def _listeners(self) -> list[str]:
        """Render the addresses; with an authority, also its certificates and logins by them."""
        kind = "ssl" if self.authority else "tcp"
        lines = [
            f"listeners.{kind}.local = 127.0.0.1:{self.amqp}",
            f"management.{kind}.ip = 127.0.0.1",
            f"management.{kind}.port = {self.management}",
            f"prometheus.{kind}.ip = 127.0.0.1",
            f"prometheus.{kind}.port = {self.prometheus}",
        ]
        if self.authority:
            lines += encrypted(self.authority.server("rabbitmq"))
        return lines

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


def encrypted(certificate: Certificate) -> list[str]:
    """Return the lines of rabbitmq.conf for encrypted listeners and logins by a certificate."""
    files = {
        "cacertfile": certificate.authority,
        "certfile": certificate.chain,
        "keyfile": certificate.key,
    }
    listeners = ("ssl_options", "management.ssl", "prometheus.ssl")
    return [
        "listeners.tcp = none",
        *(f"{each}.{name} = {path}" for each in listeners for name, path in files.items()),
        "ssl_options.versions.1 = tlsv1.3",
        "ssl_options.versions.2 = tlsv1.2",
        # A client without a certificate logs in by a password.
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = false",
        "auth_mechanisms.1 = EXTERNAL",
        "auth_mechanisms.2 = PLAIN",
        "ssl_cert_login_from = common_name",
    ]
