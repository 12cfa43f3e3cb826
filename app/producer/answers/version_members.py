"""The name and the version that an answer about a model tells."""

from typing import Any

from app import errors
from app.auth.names import shown
from app.concurrency import run_in_thread
from app.database.engine import Engine
from app.models.versions import Version, version_of
from app.producer.callers.access import Access


async def version_seen(access: Access, engine: Engine, owner: str, model_id: str) -> Version | None:
    """Return the version that a model is, or None if it has no name that `owner` may see.

    An owner may read a model of another owner without seeing its name.
    """
    version = await run_in_thread(version_of, engine, model_id)
    if version is None:
        return None
    try:
        await access.name(owner, shown(owner, version.name))
    except errors.NotFound:
        return None
    return version


def version_members(owner: str, version: Version | None) -> dict[str, Any]:
    """Return the members `name` and `version` as `owner` has them; none without a version."""
    if version is None:
        return {}
    return {"name": shown(owner, version.name), "version": version.version}
