"""Access: find what a name in a request means, and whether its owner or a grant lets one read it.

Here requests enter, and names become qualified names. A thing of another owner that is not shared
is not there: the error is the same.
"""

from typing import Annotated

from fastapi import Depends, Request

from app import errors
from app.auth.grants import Grants, Kind, readable
from app.auth.identity import DEFAULT_OWNER
from app.auth.names import SEPARATOR, is_latest, owner_of, qualified
from app.concurrency import run_in_thread
from app.jobs.record import no_job
from app.models.exact import Exact
from app.models.references import ModelReferences
from app.producer.callers.caller import identity_of
from app.protocol.references import Reference, is_generated
from app.protocol.types import LATEST


class Access:
    """Answers what an owner may read. Methods raise `errors.DatabaseUnavailable`."""

    def __init__(self, grants: Grants, references: ModelReferences) -> None:
        """Read who may read what from `grants`, and what `references` mean."""
        self.grants = grants
        self.references = references

    async def model(self, owner: str, name: str, field: str = "model_id") -> str:
        """Return the qualified id of the model that a reference means; a name, its newest version.

        Raises `errors.NotFound`, which names the `field`, also for one of another owner.
        """
        return (await self.exact(owner, name, field, splits=False)).model_id

    async def exact(
        self,
        owner: str,
        name: str,
        field: str = "model_id",
        key: str | None = None,
        *,
        splits: bool = True,
    ) -> Exact:
        """Return the model that a call asks by a reference, and its version if it is a name.

        `key` chooses the version of a name whose calls are split; what is no call never `splits`.
        Raises what `model` does.
        """
        asked = Reference.parse(name)
        base = await self.name(owner, asked.base, field)
        if is_latest(base):
            if asked != Reference(asked.base):
                raise errors.NotFound(field, f"{LATEST} is no name; it has no versions and aliases")
            return Exact(base)
        try:
            return await self.references.find(asked._replace(base=base).text, key, splits=splits)
        except errors.FieldError as error:
            raise error.renamed(field) from None

    async def name(self, owner: str, name: str, field: str = "model_id") -> str:
        """Return the qualified form of a name or an id, which may be nothing's.

        Raises `errors.NotFound`, which names the `field`, for one of another owner.
        """
        if SEPARATOR not in name:
            return qualified(owner, name)
        return await self._shared(Kind.MODEL, owner, name, field)

    async def dataset(self, owner: str, name: str, field: str = "dataset_id") -> str:
        """Return the qualified name of a data set that `owner` may read. Raises as `model` does."""
        if SEPARATOR not in name:
            return qualified(owner, name)
        return await self._shared(Kind.DATASET, owner, name, field)

    async def model_of(
        self, owner: str, model_id: str, dataset_id: str | None
    ) -> tuple[str, str | None]:
        """Return the qualified names of a model, perhaps `latest`, and of its data set.

        A name is its newest version.
        """
        exact, dataset_id = await self.exact_of(owner, model_id, dataset_id, splits=False)
        return exact.model_id, dataset_id

    async def exact_of(
        self,
        owner: str,
        model_id: str,
        dataset_id: str | None,
        key: str | None = None,
        *,
        splits: bool = True,
    ) -> tuple[Exact, str | None]:
        """Return what `exact` does, and the qualified name of a data set."""
        is_short = owner == DEFAULT_OWNER and dataset_id is None and SEPARATOR not in model_id
        if is_short and (model_id == LATEST or is_generated(model_id)):
            return Exact(model_id), None  # what most calls of /predict ask for
        exact = await self.exact(owner, model_id, key=key, splits=splits)
        return exact, dataset_id and await self.dataset(owner, dataset_id)

    async def job(self, owner: str, name: str) -> str:
        """Return the qualified name of a job: one's own, or the training of a model one may read.

        Raises `errors.NotFound` for another one.
        """
        try:
            return await self.name(owner, name, "job_id")
        except errors.NotFound:
            raise no_job(name) from None

    async def _shared(self, kind: Kind, owner: str, name: str, field: str) -> str:
        cached = self.grants.cached(kind, qualified(owner, name))
        if cached is None:
            return await run_in_thread(readable, kind, owner, name, field, self.grants.readers)
        return readable(kind, owner, name, field, lambda *_: cached)


def owner_in(request: Request) -> str:
    """Return the owner for whom a request acts."""
    return identity_of(request.scope).owner


async def _owner(request: Request) -> str:  # not a thread's work
    return owner_in(request)


OwnerDep = Annotated[str, Depends(_owner)]


def own(owner: str, name: str, field: str, what: str) -> str:
    """Return the qualified name of a thing that only its owner may change.

    Raises `errors.NotFound` if it belongs to another owner.
    """
    full = qualified(owner, name)
    if owner_of(full) != owner:
        raise errors.NotFound(field, f"there is no {what} {name}")
    return full
