"""Compute the parts of an evaluation one by one, so that one that fails stops no other."""

import logging
import warnings
from collections.abc import Callable, Iterable
from typing import TypeVar

from app.evaluation.phases import Phases
from app.models.evaluation import Note

log = logging.getLogger(__name__)

T = TypeVar("T")


class Parts:
    """The parts of one evaluation. `notes` tell which of them failed."""

    def __init__(self, phases: Phases) -> None:
        """Begin; `phases` get the time of each part."""
        self.notes: list[Note] = []
        self._phases = phases

    def add(self, notes: Iterable[Note]) -> None:
        """Add notes about parts that have none yet; a part that failed has one."""
        noted = {note.part for note in self.notes}
        self.notes += [note for note in notes if note.part not in noted]

    def compute(self, part: str, function: Callable[[], T]) -> T | None:
        """Return the part that `function` computes, or None if it raises.

        Warnings of scikit-learn are ignored: they are about undefined numbers, which a part leaves
        out, or the fit has given them before.
        """
        try:
            with self._phases.measure(part), warnings.catch_warnings(action="ignore"):
                return function()
        except MemoryError:
            log.warning("%s of the evaluation needs too much memory", part)
            self.notes.append(Note(part=part, detail="it needs more memory than the fit may take"))
        except Exception:  # the training is more important than a part of its evaluation
            log.exception("%s of the evaluation failed", part)
            said = "it could not be computed for these numbers; the consumer's log has the reason"
            self.notes.append(Note(part=part, detail=said))
        return None
