"""The parts of dates that a model takes beside their days."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Moments = npt.NDArray[np.datetime64]

_MICROSECONDS_PER_DAY = 86_400_000_000
_EXACT_DAYS = 2**16  # from 1790 to 2149, a float64 of days tells microseconds apart


def _since(moments: _Moments, unit: str, of: str) -> npt.NDArray[np.int64]:
    """Return how many of `unit` have passed since the last beginning of `of`."""
    begun = moments.astype(f"datetime64[{of}]")
    passed: npt.NDArray[np.int64] = (moments.astype(f"datetime64[{unit}]") - begun).astype(np.int64)
    return passed


_PARTS: Mapping[str, Callable[[_Moments], npt.NDArray[np.int64]]] = {
    "year": lambda moments: moments.astype("datetime64[Y]").astype(int) + 1970,
    "month": lambda moments: _since(moments, "M", "Y") + 1,
    "day": lambda moments: _since(moments, "D", "M") + 1,
    "weekday": lambda moments: (moments.astype("datetime64[D]").astype(int) + 3) % 7,
    "day-of-year": lambda moments: _since(moments, "D", "Y") + 1,
    "hour": lambda moments: _since(moments, "h", "D"),
}


def date_parts(days: _Floats, parts: Sequence[str]) -> _Floats:
    """Return parts of dates [rows, parts], given as days since 1970-01-01 UTC [rows].

    Months, days and days of the year begin at 1, hours and weekdays at 0, which is Monday. The
    parts of a missing date are NaN.
    """
    known = ~np.isnan(days)
    microseconds = np.rint(days[known] * _MICROSECONDS_PER_DAY)
    rough = np.rint(microseconds / 1000) * 1000  # or an hour could lack its last microsecond
    microseconds = np.where(np.abs(days[known]) < _EXACT_DAYS, microseconds, rough)
    moments = microseconds.astype(np.int64).astype("datetime64[us]")
    found = np.full((len(days), len(parts)), np.nan)
    for place, part in enumerate(parts):
        found[known, place] = _PARTS[part](moments)
    return found
