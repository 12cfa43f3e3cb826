"""What a queue holds, taken as a consumer would."""

from tests.support.waiting import until


def take(channel, queue, count):
    """Wait for so many messages, and take them."""
    taken = []

    def all_there():
        got = channel.basic_get(queue, auto_ack=True)
        if got[0]:
            taken.append(got)
        return len(taken) == count

    until(all_there, f"{count} messages in {queue}")
    return taken
