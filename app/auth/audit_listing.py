"""List the audit log: the rows with a property, page by page."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from app.auth.audit import Action, Outcome, Thing
from app.database.auth_tables import audit_table
from app.database.engine import connect
from app.database.paging import Page, select_page

NEWEST_FIRST, OLDEST_FIRST = "-created_at", "created_at"

_column = audit_table.c


@dataclass(frozen=True)
class AuditEntry:
    """A row of the audit log."""

    id: str
    created_at: datetime
    owner: str
    actor: str
    action: Action
    kind: Thing
    name: str
    detail: str | None
    outcome: Outcome
    request: str | None
    address: str | None


@dataclass(frozen=True)
class AuditFilter:
    """What the rows of a list have in common; None is any. `since` counts, `until` does not."""

    owner: str | None = None
    actor: str | None = None
    kind: Thing | None = None
    name: str | None = None
    action: Action | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_audit(
    engine: sa.Engine, which: AuditFilter, page: Page
) -> tuple[list[AuditEntry], str | None]:
    """Return rows, and the cursor of the next page or None. Raises `errors.Invalid`."""
    times = ("since", "until")
    same = {name: value for name, value in asdict(which).items() if value and name not in times}
    query = sa.select(*(_column[each.name] for each in fields(AuditEntry)))
    query = query.where(*(_column[name] == value for name, value in same.items()))
    if which.since:
        query = query.where(_column.created_at >= which.since)
    if which.until:
        query = query.where(_column.created_at < which.until)
    with connect(engine) as connection:
        rows = connection.execute(select_page(query, _column.created_at, _column.id, page)).all()
    found = [AuditEntry(*row[: len(fields(AuditEntry))]) for row in rows[: page.limit]]
    if len(rows) <= page.limit:
        return found, None
    return found, page.following(found[-1].created_at, found[-1].id)
