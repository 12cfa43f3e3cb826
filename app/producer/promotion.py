"""Switch an alias to another version, after the check of the promotion, or back."""

from typing import Any

from app import errors
from app.auth.actor import Actor
from app.concurrency import run_in_thread
from app.models.aliases import Alias, Check, Wanted, read_alias, roll_back, set_alias
from app.models.promotion import METRICS, TrainedVersion, compare, read_training
from app.models.versions import read_version
from app.producer.services import Services
from app.protocol.wording import did_you_mean, listed


async def promote(
    services: Services,
    name: str,
    alias: str,
    asked: Wanted,
    metric: str | None,
    by: Actor,
    check: Check,
) -> Alias:
    """Point an alias to a version, and return the alias. Raises what `checked` and `set_alias` do.

    `asked.forced` tells whether the comparison by `metric` may say no.
    """
    wanted, check = await checked(services, name, alias, asked, metric, check)
    found = await run_in_thread(set_alias, services.jobs.engine, name, alias, wanted, by, check)
    services.access.references.forget()
    return found


async def switch_back(
    services: Services, name: str, alias: str, why: str | None, by: Actor, check: Check
) -> Alias:
    """Point an alias to what it pointed to before. Raises what `roll_back` does."""
    found = await run_in_thread(roll_back, services.jobs.engine, name, alias, why, by, check)
    services.access.references.forget()
    return found


async def checked(
    services: Services, name: str, alias: str, wanted: Wanted, metric: str | None, check: Check
) -> tuple[Wanted, Check]:
    """Return what to write, with the comparison, and a check that the alias is still the same.

    `wanted.forced` tells whether a comparison may say no. Without a `metric` or without an alias
    there is nothing to compare. Raises `errors.Conflict`, with the numbers, for a challenger that
    is worse or cannot be compared, unless it is forced.
    """
    plain = Wanted(wanted.version, wanted.why)
    if metric is None:
        return plain, check
    if metric not in METRICS:
        hint = did_you_mean(metric, METRICS) or f"; known are {listed(METRICS)}"
        raise errors.Invalid("metric", f"it is not known{hint}")
    compared, write = await run_in_thread(_compared, services, name, alias, wanted, metric)

    def still(change: int | None) -> None:
        check(change)
        if change != compared:
            raise errors.Conflict("alias", f"{name}@{alias} was changed meanwhile; ask again")

    return write, still


def _compared(
    services: Services, name: str, alias: str, wanted: Wanted, metric: str
) -> tuple[int | None, Wanted]:
    """Return the change of the alias that was looked at, and what to write."""
    plain = Wanted(wanted.version, wanted.why)
    try:
        champion = read_alias(services.jobs.engine, name, alias)
    except errors.NotFound as error:
        if error.extra.get("field") != "alias":
            raise
        return None, plain
    if champion.version == wanted.version:
        return champion.change, plain
    found = _comparison(services, name, champion.version, wanted.version, metric)
    passes = found.get("worse") is False
    if not passes and not wanted.forced:
        raise errors.Conflict("version", _refusal(found), comparison=found)
    return champion.change, Wanted(wanted.version, wanted.why, not passes, found)


def _comparison(
    services: Services, name: str, champion: int, challenger: int, metric: str
) -> dict[str, Any]:
    tested = []
    for number in (champion, challenger):
        version = read_version(services.jobs.engine, name, number)
        if version.deleted_at:
            raise errors.Gone("version", f"{version.text} was deleted; choose another")
        training = read_training(services.jobs.engine, version.model_id)
        if training is None:
            reason = f"version {number} was registered, so no rows are known that tested it"
            versions = {"champion": champion, "challenger": challenger}
            return {"metric": metric, "versions": versions, "reason": reason}
        key = services.models.get(version.model_id).require_file().key
        tested.append(TrainedVersion(number, training, services.model_files.get_manifest(key)))
    return compare(metric, *tested)


def _refusal(found: dict[str, Any]) -> str:
    if "reason" in found:
        return f"{found['reason']}; send force to set it all the same"
    versions = found["versions"]
    return (
        f"version {versions['challenger']} is worse than version {versions['champion']}: its "
        f"{found['metric']} is {found['challenger']:.6g}, not {found['champion']:.6g}, on the same "
        f"{found['test_rows']:,} test rows; send force to set it all the same"
    )
