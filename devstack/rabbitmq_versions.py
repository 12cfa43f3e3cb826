"""The tests that talk to RabbitMQ, run against other versions of it: those of newer Debians.

Each Debian is a folder below .run/brokers, built once (remove it to have it built anew), and its
RabbitMQ runs there by chroot. Needs root, and a Debian whose apt sources name a mirror. Everything
is mounted in a namespace of our own, so nothing stays mounted, however this ends.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from devstack.console import complain, say
from devstack.debian import mirror, output, quietly
from devstack.layout import RUN
from devstack.program import ProgramError
from devstack.subprocesses import INTERRUPTIONS, run

#: RabbitMQ's version, and the Debian that has it.
DEBIANS = {"4.0": "trixie", "4.3": "forky"}

TESTS = ["tests/integration", "tests/system/test_consumer_timeout.py"]
IN_TWO = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # as the other runs of tests
LOG = RUN / "log" / "brokers.log"
UNSHARED = "--unshared"

# debootstrap knows an unreleased Debian by this name; the steps are the same for all of them.
STEPS = "/usr/share/debootstrap/scripts/sid"

# What of the machine's way to a mirror holds inside too.
NETWORK = re.compile(r"Acquire::(https?|Retries|ForceIPv\d|Check-Valid-Until|Check-Date)\b")


def unshare(arguments: list[str]) -> None:
    """Begin again in a mount namespace of our own. Raises `ProgramError`."""
    if os.geteuid() != 0:
        raise ProgramError("this needs root, for chroot and mount: sudo make test-brokers")
    if not shutil.which("apt-get"):
        raise ProgramError("this needs Debian: RabbitMQ's versions come from its mirror, by apt")
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # not every way to become root has them there
    private = ["unshare", "--mount", "--propagation", "private"]
    os.execvp(private[0], [*private, sys.executable, "-m", __spec__.name, UNSHARED, *arguments])


def bind(root: Path) -> None:
    """Show the system the kernel's folders, and our temporary ones by the path they have here."""
    for folder in ("/proc", "/sys", "/dev", tempfile.gettempdir()):
        inside = root / folder.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        quietly(LOG, "mount", "--rbind", folder, inside)


def bootstrap(root: Path, suite: str) -> None:
    """Unpack a bare Debian. Raises `ProgramError`."""
    if not shutil.which("debootstrap"):
        say("Installing debootstrap")
        quietly(LOG, "apt-get", "update")
        quietly(LOG, "apt-get", "install", "-y", "--no-install-recommends", "debootstrap")
    quietly(LOG, "debootstrap", "--variant=minbase", suite, root, mirror(LOG), STEPS)
    network = [line for line in output("apt-config", "dump", "Acquire") if NETWORK.match(line)]
    (root / "etc/apt/apt.conf.d/99network").write_text("\n".join([*network, ""]))
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")  # or Erlang knows no localhost
    policy = root / "usr/sbin/policy-rc.d"  # Debian's way to say that a package starts no service
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def prepare(root: Path, suite: str) -> None:
    """Mount a system's folders; build it before if it is not complete. Raises `ProgramError`."""
    complete = root / "complete"
    if complete.exists():
        bind(root)
        return
    say(f"Building {root} with debootstrap ({LOG} tells more)")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    bootstrap(root, suite)
    bind(root)
    install = ["apt-get", "install", "-y", "--no-install-recommends", "rabbitmq-server"]
    quietly(LOG, "chroot", root, "apt-get", "update")
    quietly(LOG, "chroot", root, *install)
    quietly(LOG, "chroot", root, "apt-get", "clean")
    complete.touch()


def installed(root: Path) -> str:
    """Return the version of the RabbitMQ in a system."""
    (folder,) = (root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")
    return folder.name.partition("-")[2]


def check(version: str, suite: str, arguments: list[str]) -> bool:
    """Run the tests against one version; tell whether they passed. Raises `ProgramError`."""
    root = RUN / "brokers" / version
    prepare(root, suite)
    found = installed(root)
    if not found.startswith(f"{version}."):
        raise ProgramError(f"Debian {suite} has RabbitMQ {found}, and {version} was meant")
    say(f"RabbitMQ {found} of Debian {suite}")
    # CI: a missing program must not skip a test. The version: the tests ask the broker for its own.
    environment = {"RABBITMQ_ROOT": str(root), "RABBITMQ_VERSION": found, "CI": "true"}
    tests = [sys.executable, "-m", "pytest", *IN_TWO, *(arguments or TESTS)]
    status = run(tests, environment)
    say(f"RabbitMQ {found} of Debian {suite}: {'FAILED' if status else 'passed'}")
    return not status


def main(arguments: list[str]) -> int:
    """Check all versions, also those after one that failed; return the exit status."""
    for each in INTERRUPTIONS:  # a shell's background job ignores the first
        signal.signal(each, signal.default_int_handler)
    try:
        if arguments[:1] != [UNSHARED]:
            unshare(arguments)
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")
        passed = [check(*debian, arguments[1:]) for debian in DEBIANS.items()]
    except (ProgramError, OSError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
