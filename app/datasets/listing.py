"""List the data sets in an order, page by page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app import errors
from app.auth.names import qualified
from app.database.paging import Page
from app.datasets.queries import read_current
from app.datasets.versions import DatasetVersions
from app.storage.datasets import Dataset

SORTS: dict[str, Callable[[Dataset], Any]] = {
    "id": lambda each: each.id,
    "size": lambda each: each.size,
    "modified": lambda each: each.modified,
}


@dataclass(frozen=True)
class ListedDataset:
    """A data set in short; `size` is in bytes. A field is None until it is known."""

    id: str
    size: int
    modified: datetime
    version: str | None
    rows: int | None
    columns: int | None


def list_datasets(
    versions: DatasetVersions, owner: str, begin: str, page: Page
) -> tuple[list[ListedDataset], str | None]:
    """Return the owner's data sets, as this owner calls them, and the cursor of the next page.

    Their ids start with `begin`. The cursor is None on the last page.

    With a `limit` of 0 the page has all of them. Raises `errors.Invalid` for a cursor that is not
    one of this list.
    """
    value = SORTS[page.by]
    found = [each for each in versions.store.list(owner) if each.id.startswith(begin)]
    found.sort(key=lambda each: (value(each), each.id), reverse=page.descending)
    if place := page.after():
        last = _parsed(place[0], page.by), place[1]
        found = [each for each in found if _is_behind((value(each), each.id), last, page)]
    shown = found[: page.limit] if page.limit else found
    known = read_current(versions.engine, [qualified(owner, each.id) for each in shown])
    listed = []
    for each in shown:
        current = known.get((qualified(owner, each.id), each.etag))
        columns = current.columns if current else None
        listed.append(
            ListedDataset(
                id=each.id,
                size=each.size,
                modified=each.modified,
                version=current.version if current else None,
                rows=current.rows if current else None,
                columns=None if columns is None else len(columns),
            )
        )
    if len(shown) == len(found):
        return listed, None
    return listed, page.following(value(shown[-1]), shown[-1].id)


def _is_behind(this: tuple[Any, str], last: tuple[Any, str], page: Page) -> bool:
    return this < last if page.descending else this > last


def _parsed(value: Any, by: str) -> Any:
    try:
        parsed = datetime.fromisoformat(value) if by == "modified" else value
    except (TypeError, ValueError):
        parsed = None
    kinds: dict[str, type] = {"id": str, "size": int, "modified": datetime}
    if not isinstance(parsed, kinds[by]):
        raise errors.Invalid("cursor", "use the cursor of the page before, as it was returned")
    return parsed
