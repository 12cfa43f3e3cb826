"""The conditions of a request that changes a data set (RFC 9110 section 13)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from fastapi import Request
from starlette.exceptions import HTTPException

from app.datasets.version import DatasetVersion
from app.producer.conditions.entity_tags import TAG_SEPARATOR, describe_conditions, sent_tags

CONDITIONS = describe_conditions(
    if_match="`*` only changes a data set that is there, "
    "an `ETag` or a version in quotes only that version",
    if_none_match="`*` only stores a new data set, "
    "an `ETag` or a version in quotes only changes another version",
)


@dataclass(frozen=True)
class DatasetConditions:
    """The tags of `If-Match` and `If-None-Match`; a data set's tag begins with its version."""

    wanted: frozenset[str] | None
    unwanted: frozenset[str] | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the conditions of a request."""
        return cls(sent_tags(request, "if-match"), sent_tags(request, "if-none-match"))

    def check(
        self, dataset_id: str, find: Callable[[str], DatasetVersion | None]
    ) -> DatasetVersion | None:
        """Raise HTTP's 412 if a condition forbids to change what `find` returns.

        Return the version that has to be replaced, if `If-Match` wants one.
        """
        if self.wanted is None and self.unwanted is None:
            return None
        current = find(dataset_id)
        if self.wanted is not None and (problem := _missing(dataset_id, self.wanted, current)):
            raise HTTPException(412, f"dataset_id: {problem}, and If-Match wants it")
        if self.unwanted is not None and current and _has(self.unwanted, current):
            raise HTTPException(
                412, f"dataset_id: there is a data set {dataset_id}, and If-None-Match forbids it"
            )
        return current if self.wanted is not None and "*" not in self.wanted else None


def _missing(dataset_id: str, wanted: frozenset[str], current: DatasetVersion | None) -> str:
    """Return what is not as wanted, or an empty text."""
    if current is None:
        return f"there is no data set {dataset_id}"
    if _has(wanted, current):
        return ""
    tags = ", ".join(sorted(wanted))
    return f'data set {dataset_id} is not at {tags} but at "{current.version}"'


def _has(tags: frozenset[str], current: DatasetVersion) -> bool:
    """Tell whether a tag is that of a version, or that of its description, which begins so."""
    return "*" in tags or any(
        each.strip('"').partition(TAG_SEPARATOR)[0] == current.version
        for each in tags
        if each.startswith('"')  # the comparison is strong, and weak ones begin with W/
    )
