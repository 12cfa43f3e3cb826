"""Names and values in errors: quoted and listed in bounded length, repeated, the nearest known."""

import difflib
import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice

from pydantic import JsonValue

from app.errors import escaped

MAX_NAME = 256  # characters of a name that an error shows: as many as a column's name may have
_QUOTED = 80  # characters of a name in quotation marks
_LISTED = 1000  # characters of a list of names
_KNOWN = 10_000  # names that are compared with a misspelt one, apart from case and punctuation
_COMPARED = 50  # names whose letters are compared, because that takes 50 microseconds each
MAX_NFC = 1000  # characters that are composed, because the worst take half a millisecond
_LETTERS = 40  # characters of a name whose letters are compared
_CUTOFF = 0.75  # the share of letters that a near name has in common
_PUNCTUATION = str.maketrans("", "", " _-.")


def nfc(name: str) -> str:
    """Return a name in Unicode's composed form, NFC. macOS writes file names decomposed.

    Names of more than `MAX_NFC` characters stay as they are, because the time is quadratic in the
    number of accents on a letter.
    """
    composed = name.isascii() or len(name) > MAX_NFC
    return name if composed else unicodedata.normalize("NFC", name)


def cut(text: str, most: int = MAX_NAME) -> str:
    """Return a text, or its beginning if it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[:most]}…"


def quoted(text: str) -> str:
    """Return a text as a JSON string, cut; characters that cannot be seen are escaped."""
    return escaped(json.dumps(cut(text, _QUOTED), ensure_ascii=False))


def describe_value(value: JsonValue) -> str:
    """Describe a value in about 80 characters, for an error."""
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case str():
            return quoted(value)
        case _:
            return cut(json.dumps(value), _QUOTED)


def listed(names: Collection[str]) -> str:
    """Return `a, b, c`; of many names the first ones, and how many there are besides.

    Names that are empty, or that begin or end with a blank, stand in quotation marks.
    """
    shown, length = [], 0
    for name in names:
        shown.append(cut(name) if name and name == name.strip() else quoted(name))
        length += len(shown[-1]) + 2
        if length > _LISTED:
            break
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in the order of their first occurrence."""
    return [name for name, count in Counter(names).items() if count > 1]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is probably meant to be, or None."""
    if len(name) > MAX_NAME:
        return None
    folded = _folded(name)
    near: dict[str, str] = {}
    for each in islice(known, _KNOWN):
        if len(each) > MAX_NAME:
            continue
        form = _folded(each)
        if form == folded:
            return each
        if len(near) < _COMPARED and abs(len(form) - len(folded)) <= 3 and len(form) <= _LETTERS:
            near.setdefault(form, each)
    found = difflib.get_close_matches(folded[: _LETTERS + 3], near, n=1, cutoff=_CUTOFF)
    return near[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` with the nearest known name, or an empty text."""
    found = nearest(name, known)
    return f"; did you mean {quoted(found)}?" if found is not None else ""


def _folded(name: str) -> str:
    """Return a name without case, punctuation and the form of its characters."""
    return nfc(name).casefold().translate(_PUNCTUATION)
