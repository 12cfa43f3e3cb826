"""Read the model that a reference means, or the versions among which its calls are split."""

import hashlib
import secrets
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import sqlalchemy as sa

from app import errors
from app.auth.names import shown
from app.database.engine import connect
from app.database.name_tables import aliases_table, names_table, versions_table
from app.database.tables import models_table
from app.jobs.model_names import version_text
from app.models.deletion import deleted
from app.models.shadows import ShadowVersion, find_shadow
from app.models.versions import no_name
from app.protocol.references import Reference
from app.protocol.wording import did_you_mean


class Exact(NamedTuple):
    """A model: its id, and if it was asked for by a name, that name and its version.

    The id and the name are qualified names. `shadow` gets some of its calls once more.
    """

    model_id: str
    name: str | None = None
    version: int | None = None
    shadow: ShadowVersion | None = None

    def told(self) -> dict[str, str]:
        """Return the member `model` of a row, `name:version`; empty if an id was asked for."""
        if self.name is None or self.version is None:
            return {}
        return {"model": version_text(self.name, self.version)}

    def label(self, owner: str) -> str | None:
        """Return `name:version` as `owner` has it; None if an id was asked for."""
        if self.name is None or self.version is None:
            return None
        return version_text(shown(owner, self.name), self.version)


@dataclass(frozen=True)
class Split:
    """The versions among which the calls of a name are split: the shares add up to their last.

    What is no call, such as a description of the model, means the `newest` version.
    """

    newest: Exact
    versions: tuple[Exact, ...]
    sums: tuple[float, ...]  # of the weights up to each version

    def choose(self, key: str | None) -> Exact:
        """Return the version for a key, always the same one; without a key, one at random.

        The place of a key is the first 8 bytes of the sha256 of `name`, a line feed and the key, as
        a share of 2^64.
        """
        if key is None:
            share = secrets.randbelow(2**53) / 2**53
        else:
            digest = hashlib.sha256(f"{self.versions[0].name}\n{key}".encode(errors="replace"))
            share = int.from_bytes(digest.digest()[:8]) / 2**64
        place = bisect(self.sums, share * self.sums[-1])
        return self.versions[min(place, len(self.versions) - 1)]


def is_model(engine: sa.Engine, text: str) -> bool:
    """Tell whether a model has this id, or had it. Raises `errors.DatabaseUnavailable`."""
    with connect(engine) as connection:
        return bool(
            connection.scalar(sa.select(sa.exists().where(models_table.c.model_id == text)))
        )


def read_reference(engine: sa.Engine, asked: Reference) -> Exact | Split:
    """Return the model that a reference means, or the split of a name.

    What has no name and no alias may be an id, whose model is not looked for. Raises
    `errors.NotFound`, `errors.Gone` or `errors.DatabaseUnavailable`.
    """
    name = asked.base
    version, there = versions_table.c, models_table.c.deleted_at
    query = (
        sa.select(version.version, version.model_id, there)
        .join(models_table, models_table.c.model_id == version.model_id)
        .where(version.name == name)
    )
    split = None
    with connect(engine) as connection:
        named = sa.select(names_table.c.split).where(names_table.c.name == name)
        row = connection.execute(named).first()
        if row is None:
            if asked.alias is None and asked.version is None:
                return Exact(name)
            raise no_name(connection, name, "model_id")
        is_exact = asked.version is not None
        shadow = None if is_exact else find_shadow(connection, name, asked.alias)
        if asked.alias is not None:
            alias = aliases_table.c
            query = query.join(
                aliases_table, (alias.name == version.name) & (alias.version == version.version)
            ).where(alias.alias == asked.alias)
        elif asked.version is not None:
            query = query.where(version.version == asked.version)
        elif row.split:
            wanted = [int(each) for each in row.split]
            found = connection.execute(query.where(version.version.in_(wanted), there.is_(None)))
            models = {each.version: each.model_id for each in found}
            split = _split(name, row.split, models, shadow)
        if asked.alias is None and asked.version is None:
            query = query.where(there.is_(None))
        found_row = connection.execute(query.order_by(version.version.desc()).limit(1)).first()
        if found_row is None:
            raise _nothing(connection, asked)
    if found_row.deleted_at:
        raise deleted(version_text(name, found_row.version))
    newest = _exact(name, found_row.version, found_row.model_id, shadow)
    return Split(newest, *split) if split else newest


def _exact(name: str, version: int, model_id: str, shadow: ShadowVersion | None) -> Exact:
    is_base = shadow is not None and shadow.base_version == version
    return Exact(model_id, name, version, shadow if is_base else None)


def _split(
    name: str, weights: dict[str, float], models: dict[int, str], shadow: ShadowVersion | None
) -> tuple[tuple[Exact, ...], tuple[float, ...]] | None:
    """Return those versions that are there and the sums of their weights, or None without any."""
    left = {int(n): weight for n, weight in weights.items() if int(n) in models and weight > 0}
    if not left:
        return None
    versions = tuple(_exact(name, number, models[number], shadow) for number in sorted(left))
    return versions, tuple(accumulate(left[number] for number in sorted(left)))


def _nothing(connection: sa.Connection, asked: Reference) -> errors.FieldError:
    """Return the error of an alias, a version or a name that means no model."""
    name, numbers = asked.base, versions_table.c
    if asked.alias is not None:
        column = aliases_table.c
        known = connection.scalars(sa.select(column.alias).where(column.name == name)).all()
        hint = did_you_mean(asked.alias, known)
        detail = f"{name} has no alias {asked.alias}{hint}"
        return errors.NotFound("model_id", detail)
    newest = connection.scalar(sa.select(sa.func.max(numbers.version)).where(numbers.name == name))
    if asked.version is not None:
        last = f"its newest one is {newest}" if newest else "it has none yet"
        return errors.NotFound("model_id", f"{name} has no version {asked.version}; {last}")
    if newest:
        return errors.Gone("model_id", f"all versions of {name} were deleted")
    return errors.NotReady(
        "model_id", f"{name} has no version yet; one is published when a training has ended"
    )
