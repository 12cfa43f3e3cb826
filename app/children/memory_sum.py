"""Tell whether a process and its children may take more memory together than there is."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from app.children.machine_memory import machine_memory

OWN_BYTES = 500_000_000  # of a producer or consumer, with its libraries and what it reads

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """What `count` uses of memory may take, `size` bytes each; `settings` change it."""

    use: str
    size: int
    count: int = 1
    settings: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The bytes of all."""
        return self.size * self.count


def warn_of_memory(process: str, shares: Sequence[Share]) -> None:
    """Log what `too_much_memory` says of this machine."""
    if warning := too_much_memory(process, shares, machine_memory()):
        log.warning(warning)


def too_much_memory(process: str, shares: Sequence[Share], memory: int) -> str | None:
    """Return a warning if the shares and the process itself are more than `memory`, else None.

    It names the settings of the largest share that has some, as what to lower.
    """
    total = sum(each.total for each in shares) + OWN_BYTES
    if total <= memory:
        return None
    parts = [_part(each) for each in shares] + [f"the process itself {_text(OWN_BYTES)}"]
    largest = max((each for each in shares if each.settings), key=lambda each: each.total)
    return (
        f"the settings let this {process} take {_text(total)} of memory, but the machine or "
        f"container has {_text(memory)}: {', '.join(parts)}. Where memory ends, the system kills a "
        f"child process, and its work is repeated. Lower {' or '.join(largest.settings)}, or add "
        "memory"
    )


def _part(share: Share) -> str:
    times = f"{share.count} x {_text(share.size)}" if share.count > 1 else _text(share.size)
    named = f" ({', '.join(share.settings)})" if share.settings else ""
    return f"{share.use} {times}{named}"


def _text(size: int) -> str:
    if size >= 100_000_000:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1_000_000 else f"{size / 1e3:.0f} kB"
