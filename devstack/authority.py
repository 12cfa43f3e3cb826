"""A certificate authority of our own, for the local stack and for tests: it calls openssl."""

import ssl
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from devstack.program import ProgramError, find

LOCAL = ("localhost", "127.0.0.1", "::1")
DAYS = 825  # more than some browsers take
ISSUED_DAYS = 397
_ENOUGH_SECONDS = 30 * 86_400  # an authority that is valid for less is made anew

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """The files of one: its authority, the chain, its key, and both in one file."""

    authority: Path
    chain: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates. Its own is `ca.pem` of its folder, whose files nobody else can read."""

    def __init__(self, folder: Path) -> None:
        """Find the authority of the folder, or make one. Raises `ProgramError`."""
        self._openssl_program = find("openssl")
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        if not self._is_valid():
            self._make()

    def server(
        self, name: str, hosts: Iterable[str] = LOCAL, *, days: int = ISSUED_DAYS
    ) -> Certificate:
        """Issue the certificate of a server with these host names and addresses."""
        names = ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)
        return self._issue(
            name, f"subjectAltName={names}", "extendedKeyUsage=serverAuth", days=days
        )

    def client(self, name: str, *, days: int = ISSUED_DAYS) -> Certificate:
        """Issue the certificate of a client, whose user has this name."""
        return self._issue(name, "extendedKeyUsage=clientAuth", days=days)

    def trust(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority only."""
        return ssl.create_default_context(cafile=self.file)

    def _make(self) -> None:
        config = self._write(
            "ca.cnf", _config("local authority of Warren", "CA:TRUE", "keyCertSign, cRLSign")
        )
        self._openssl(
            *("req", "-x509", "-new", *_NEW_KEY, "-days", str(DAYS), "-config", str(config)),
            *("-keyout", str(self._key), "-out", str(self.file)),
        )

    def _issue(self, name: str, *extensions: str, days: int) -> Certificate:
        files = (self._folder / f"{name}.{end}" for end in ("crt", "key", "pem"))
        made = Certificate(self.file, *files)
        config = self._write(
            f"{name}.cnf", _config(name, "CA:FALSE", "digitalSignature", *extensions)
        )
        request = self._folder / f"{name}.csr"
        self._openssl(
            *("req", "-new", *_NEW_KEY, "-config", str(config)),
            *("-keyout", str(made.key), "-out", str(request)),
        )
        signed = self._openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey", str(self._key)),
            *("-CAcreateserial", "-days", str(days)),
            *("-extfile", str(config), "-extensions", "extensions"),
        )
        self._write(made.chain.name, signed)
        self._write(made.both.name, made.key.read_text() + signed)
        for each in (config, request):
            each.unlink()
        return made

    def _is_valid(self) -> bool:
        if not (self.file.exists() and self._key.exists()):
            return False
        command = ("x509", "-in", str(self.file), "-noout", "-checkend", str(_ENOUGH_SECONDS))
        return self._run(*command).returncode == 0

    def _write(self, name: str, content: str) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    def _openssl(self, *arguments: str) -> str:
        ended = self._run(*arguments)
        if ended.returncode:
            raise ProgramError(f"openssl {arguments[0]} failed:\n{ended.stderr}")
        return ended.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._openssl_program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def _config(name: str, constraints: str, usage: str, *extensions: str) -> str:
    lines = (
        "[req]\nprompt = no\ndistinguished_name = subject\nx509_extensions = extensions",
        f"[subject]\nCN = {name}",
        f"[extensions]\nbasicConstraints = critical, {constraints}\nkeyUsage = critical, {usage}",
        "subjectKeyIdentifier = hash",
        *extensions,
        "",
    )
    return "\n".join(lines)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
