"""The tests that talk to RabbitMQ, run against other versions of it: those of newer Debians.

Each Debian is a folder below .run/brokers, built once (remove it to have it built anew), and its
RabbitMQ runs there by chroot. Needs root, and a Debian whose apt sources name a mirror. Everything
is mounted in a namespace of our own, so nothing stays mounted, however this ends.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from devstack.console import complain, say
from devstack.layout import RUN
from devstack.program import ProgramError, tail

#: RabbitMQ's version, and the Debian that has it.
DEBIANS = {"4.0": "trixie", "4.3": "forky"}

TESTS = ["tests/integration"]
LOG = RUN / "log" / "brokers.log"
UNSHARED = "--unshared"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)

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


def quietly(*command: str | Path) -> None:
    """Run a command into the log. Raises `ProgramError`, with the end of the log."""
    with LOG.open("a") as log:
        print("$", *command, file=log, flush=True)
        ended = subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    if ended.returncode:
        raise ProgramError(f"{' '.join(map(str, command))}\n{tail(LOG)}")


def output(*command: str) -> list[str]:
    """Run a command and return the lines it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def mirror() -> str:
    """Find the mirror this system takes its packages from. Raises `ProgramError`."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    which = ["Created-By: Packages", "Origin: Debian", "Label: Debian"]
    found = output(*ask, *which)
    if not found:  # apt knows whose the sources are once it has read them
        quietly("apt-get", "update")
        found = output(*ask, *which)
    if not found:
        raise ProgramError("no apt source of this system is a mirror of Debian")
    return found[0]


def bind(root: Path) -> None:
    """Show the system the kernel's folders, and our temporary ones by the path they have here."""
    for folder in ("/proc", "/sys", "/dev", tempfile.gettempdir()):
        inside = root / folder.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        quietly("mount", "--rbind", folder, inside)


def bootstrap(root: Path, suite: str) -> None:
    """Unpack a bare Debian. Raises `ProgramError`."""
    if not shutil.which("debootstrap"):
        say("Installing debootstrap")
        quietly("apt-get", "update")
        quietly("apt-get", "install", "-y", "--no-install-recommends", "debootstrap")
    quietly("debootstrap", "--variant=minbase", suite, root, mirror(), STEPS)
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
    quietly("chroot", root, "apt-get", "update")
    quietly("chroot", root, *install)
    quietly("chroot", root, "apt-get", "clean")
    complete.touch()


def installed(root: Path) -> str:
    """Return the version of the RabbitMQ in a system."""
    (folder,) = (root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")
    return folder.name.partition("-")[2]


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run a command that has servers to end when it is interrupted; return its status."""
    told = []
    with subprocess.Popen(command, env=os.environ | environment) as process:

        def interrupt(number: int, _: object) -> None:
            told.append(number)
            if number == signal.SIGTERM:  # a terminal's SIGINT reaches it as it does us
                process.send_signal(signal.SIGINT)

        ours = {each: signal.signal(each, interrupt) for each in INTERRUPTIONS}
        process.wait()
        for each, handler in ours.items():
            signal.signal(each, handler)
    if told:
        raise KeyboardInterrupt
    return process.returncode


def check(version: str, suite: str, arguments: list[str]) -> bool:
    """Run the tests against one version; tell whether they passed. Raises `ProgramError`."""
    root = RUN / "brokers" / version
    prepare(root, suite)
    found = installed(root)
    if not found.startswith(f"{version}."):
        raise ProgramError(f"Debian {suite} has RabbitMQ {found}, and {version} was meant")
    say(f"RabbitMQ {found} of Debian {suite}")
    # CI: what is missing is no reason to skip. The version: the tests ask the broker for its own.
    environment = {"RABBITMQ_ROOT": str(root), "RABBITMQ_VERSION": found, "CI": "true"}
    status = run([sys.executable, "-m", "pytest", *(arguments or TESTS)], environment)
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
