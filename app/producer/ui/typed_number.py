"""Numbers that people type into the fields of forms."""

import math
import re

# Python would read more: underscores, digits of other scripts, nan and infinity.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def typed_number(text: str) -> float:
    """Return the number that a text is, with a point for its decimals.

    Raises `ValueError` for another text, and for a number that is too large.
    """
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError
    value = float(text)
    if math.isinf(value):
        raise ValueError
    return value
