"""Programs as children of this process, for the tests and for what runs them."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from devstack.program import Program, ProgramError, inherited, tail

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


class Children:
    """Programs that were started one after the other and end in the opposite order."""

    def __init__(self, log: Path) -> None:
        """Start nothing yet; the output of all of them will go to the log."""
        self.log = log
        self._running: list[tuple[Program, subprocess.Popen[bytes]]] = []

    def start(self, program: Program, ready: Callable[[], bool], seconds: float) -> int:
        """Start a program and wait until it is ready; return its process id.

        Raises `ProgramError`, with the end of the log, if it ends or is not ready in time.
        """
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                program.command,
                cwd=program.folder,
                env=inherited() | program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((program, process))
        deadline = monotonic() + seconds
        while not ready():
            if process.poll() is not None:
                raise self._failure(f"{program.name} ended with status {process.returncode}")
            if monotonic() > deadline:
                raise self._failure(f"{program.name} was not ready within {seconds:.0f} s")
            sleep(0.05)
        return process.pid

    def stop(self) -> None:
        """End them as an operator would; the ones that take too long are killed."""
        while self._running:
            program, process = self._running.pop()
            process.terminate()
            try:
                process.wait(program.stop_seconds)
            except subprocess.TimeoutExpired:
                pass
            except BaseException:  # an interrupt, and there is nobody left to wait for them
                end_group(process)
                self.kill()
                raise
            end_group(process)

    def kill(self) -> None:
        """End them as a power cut would."""
        while self._running:
            _, process = self._running.pop()
            end_group(process)

    def _failure(self, what: str) -> ProgramError:
        return ProgramError(f"{what}:\n{tail(self.log)}")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a child, and the rest of the process group that it leads."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
