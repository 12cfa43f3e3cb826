"""`/ui/dead-letters`: the messages that nobody could use; to replay or to drop them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from app import errors
from app.amqp.dead_letter_summary import deaths, summary
from app.amqp.dead_letters import DeadLetterQueue, open_dead_letters, plain
from app.amqp.topology import DEAD_LETTER_QUEUE
from app.auth.audit import Action, Thing, begin
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.producer.callers.caller import ActorDep
from app.producer.routing.route_scopes import allow
from app.producer.services import Services, ServicesDep
from app.producer.ui.forms import first, read_form
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import page, redirect

MOST = 1_000  # messages, because all are read to show one
_ACTIONS = ("replay", "drop")
_T = TypeVar("_T")

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/dead-letters")
@allow(Scope.ADMIN)
async def dead_letters_page(
    request: Request,
    services: ServicesDep,
    done: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show the dead letters, the oldest first."""

    def read(queue: DeadLetterQueue) -> list[dict[str, Any]]:
        return [summary(each) | deaths(each) for each in queue.messages]

    found = await _with_queue(services, read)
    # In a thread, because a page of many takes some 20 ms.
    return await run_in_thread(page, request, "dead_letters.html", messages=found, done=done)


@router.get("/ui/dead-letters/ask")
@allow(Scope.ADMIN)
async def ask(
    request: Request,
    action: Literal["replay", "drop"],
    ids: Annotated[str, Query(max_length=20_000)] = "",
) -> Response:
    """Ask whether to replay or drop the chosen messages."""
    chosen = list(filter(None, ids.split(",")))
    if not chosen:
        raise errors.Invalid("ids", "choose one or more messages")
    return _ask(request, action, chosen)


@router.post("/ui/dead-letters")
@allow(Scope.ADMIN)
async def act(request: Request, services: ServicesDep, by: ActorDep) -> Response:
    """Replay messages to the queues where they died, or delete them for good.

    If one is gone, none is changed: the page says so, and asks about those that are left.
    """
    form = await read_form(request)
    action, ids = first(form, "action"), form.get("ids", [])
    if action not in _ACTIONS or not ids:
        raise errors.Invalid("action", "choose messages, and whether to replay or drop them")

    audited = Action.REPLAY if action == "replay" else Action.PURGE

    def change(queue: DeadLetterQueue) -> tuple[int, list[str]]:
        done, refused = 0, []
        for each in queue.select(ids):
            died_in = f"queue {plain(each.death.get('queue'))}"
            begin(services.jobs.engine, by, audited, Thing.DEAD_LETTER, each.id, died_in)
            try:
                queue.replay(each, None) if action == "replay" else queue.delete(each)
                done += 1
            except errors.WarrenError as error:
                refused.append(f"{each.id} stays: {error.detail}")
        return done, refused

    try:
        done, refused = await _with_queue(services, change)
    except errors.NotFound as error:
        gone = error.extra["gone"]
        return _ask(request, action, [each for each in ids if each not in gone], gone)
    if refused:
        raise errors.Conflict(None, f"{done} done; {'; '.join(refused[:5])}")
    return redirect(request, "/ui/dead-letters", done=done)


def _ask(
    request: Request, action: str | None, ids: Sequence[str], gone: Sequence[str] = ()
) -> Response:
    """Return the page that asks; those that are `gone` since an earlier page come first."""
    asked = {"action": action, "ids": ids, "gone": gone}
    return page(request, "ask_dead_letters.html", 409 if gone else 200, **asked)


async def _with_queue(services: Services, call: Callable[[DeadLetterQueue], _T]) -> _T:
    """Call with the locked queue, in a thread, with the login of the operators' commands.

    Raises `errors.Conflict` if there are more messages than a page shows, and
    `errors.BrokerUnavailable` while another reader has the lock.
    """
    count = (await services.rpc.count(DEAD_LETTER_QUEUE)).ready
    if count > MOST:
        raise errors.Conflict(
            None,
            f"there are {count:,} dead letters, and a page shows {MOST:,} at most; use "
            "python -m app.cli.dead_letters",
        )
    settings = services.settings.acting_as("tools")

    def run() -> _T:
        with open_dead_letters(settings) as queue:
            return call(queue)

    # Without a time limit: to replay as many as there may be takes longer than other calls do.
    return await anyio.to_thread.run_sync(run, limiter=anyio.CapacityLimiter(1))
