"""All that the page of a name shows, read by the functions of the JSON routes."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from app import errors
from app.auth.names import owner_of
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.alias_history import AliasChange, read_name_history, read_newest_changes
from app.models.versions import NEWEST_FIRST
from app.producer.routes.aliases import aliases
from app.producer.routes.names import name as read_name
from app.producer.routes.shadow import shadow
from app.producer.routes.versions import versions
from app.producer.services import Services
from app.producer.ui.formats import plain

VERSIONS = 50  # the newest
CHANGES = 50  # of a page of the history
_METRICS = 6  # columns


@dataclass(frozen=True)
class NameFacts:
    """A name, its versions, aliases, history and shadow.

    `aliases` have the change that made them so. `is_own` tells whether the owner who asks may
    change it. `following` is the cursor of older changes, None if there are none.
    """

    name: dict[str, Any]
    versions: list[dict[str, Any]]
    aliases: list[tuple[dict[str, Any], AliasChange | None]]
    history: list[tuple[str, AliasChange]]
    following: str | None
    shadow: dict[str, Any] | None
    is_own: bool

    @property
    def metrics(self) -> list[str]:
        """The metrics of the versions, at most as many as the table has columns."""
        return list(dict.fromkeys(n for each in self.versions for n in each["metrics"] or ()))[
            :_METRICS
        ]

    @property
    def usable(self) -> list[int]:
        """The numbers of the versions that are not deleted, the newest first."""
        return [each["version"] for each in self.versions if not each["deleted_at"]]

    @property
    def weights(self) -> str:
        """The split as the form of the page takes it."""
        split = self.name["split"] or {}
        return ", ".join(f"{number}={plain(weight)}" for number, weight in split.items())


async def read_name_facts(
    request: Request, services: Services, owner: str, name: str, cursor: str | None
) -> NameFacts:
    """Return the facts of a name; `cursor` is where the history begins.

    Raises what `GET /names/{name}` does, and `errors.Invalid` for the cursor.
    """
    described = await read_name(name, services, owner)
    full, engine = await services.access.name(owner, name, "name"), services.jobs.engine
    numbered = await versions(
        name, request, Response(), services, owner, NEWEST_FIRST, VERSIONS, None
    )
    pointing = await aliases(name, services, owner)
    since = await run_in_thread(read_newest_changes, engine, full)
    part = Page(CHANGES, "-changed_at", cursor)
    history, following = await run_in_thread(read_name_history, engine, full, part)
    try:
        mirrored = await shadow(name, services, owner)
    except errors.NotFound:
        mirrored = None
    return NameFacts(
        described,
        numbered["versions"],
        [(each, since.get(each["alias"])) for each in pointing["aliases"]],
        history,
        following,
        mirrored,
        owner_of(full) == owner,
    )
