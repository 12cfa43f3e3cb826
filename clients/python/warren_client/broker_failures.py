"""What a failure of pika means for the user of a broker. It needs pika."""

from pika import exceptions as failures

from warren_client import errors

AWAY = (failures.AMQPError, OSError)
_REFUSED = (failures.ProbableAuthenticationError, failures.ProbableAccessDeniedError)


def error_of(failure: Exception, where: str) -> errors.WarrenError:
    """Return a failure as an error; `where` names the broker."""
    if isinstance(failure, _REFUSED):
        return errors.Unauthenticated(f"{where} refuses the user, or its vhost")
    if isinstance(failure, failures.UnroutableError):
        return errors.Unavailable(
            f"{where} has no queue of Warren; a consumer makes it when it starts"
        )
    if isinstance(failure, failures.NackError):
        return errors.Unavailable(f"{where} took no message; is a queue full?")
    if isinstance(failure, failures.ChannelClosedByBroker):
        return errors.Forbidden(f"{where} refuses: {failure.reply_text}")
    return errors.Unreachable(f"no answer from {where}: {failure or 'no connection could be made'}")
