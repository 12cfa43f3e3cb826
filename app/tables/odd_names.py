"""Warn of names of columns that are probably mistakes."""

import re
from collections.abc import Sequence

from app.protocol.wording import nfc, quoted, repeated

NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)

_UNSEEN = "\ufeff\u200b"  # a second byte order mark, a zero-width space


def suspect_names(columns: Sequence[str], *, of_csv: bool = True) -> list[str]:
    """Return warnings about names that are probably mistakes, though a training can use them."""
    found = []
    if len(columns) == 1:
        found.append("there is one column only, but a training needs a feature and a target")
    if padded := [name for name in columns if name != name.strip().strip(_UNSEEN)]:
        found.append(f"blanks at the ends of names belong to the names: {shown_names(padded)}")
    if of_csv and (numbers := [name for name in columns if NUMBER.fullmatch(name.strip())]):
        found.append(
            f"the first line is taken for the header, with the names {shown_names(numbers)}"
        )
    if twins := repeated(map(nfc, columns)):
        found.append(
            f"names are the same in two forms of Unicode, and cannot be used: {shown_names(twins)}"
        )
    return found


def shown_names(names: Sequence[str]) -> str:
    """Return the first four names in quotation marks, and the number of the others."""
    shown = ", ".join(map(quoted, names[:4]))
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
