"""Where a reply may go: the sender of a request names a queue, and may forge its name."""

import logging

from app.amqp.topology import OWN_PREFIXES

log = logging.getLogger(__name__)

DIRECT_REPLY_PREFIX = "amq.rabbitmq.reply-to"
SERVER_NAMED_PREFIX = "amq.gen-"  # of queues whose names the broker chooses


def may_reply_to(reply_to: str | None, *, only_server_named: bool = False) -> bool:
    """Tell whether a reply may be sent: `reply_to` is set and is not a queue of Warren.

    If `only_server_named`, it must be a queue that the broker has named, or direct reply-to.
    """
    if not reply_to:
        return False
    server_named = reply_to.startswith((SERVER_NAMED_PREFIX, DIRECT_REPLY_PREFIX))
    if reply_to.startswith(OWN_PREFIXES) or (only_server_named and not server_named):
        log.warning("no reply is sent into %.80a", reply_to)
        return False
    return True
