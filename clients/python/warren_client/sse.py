"""Read server-sent events, as the HTML standard defines them (9.2.6)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """An event: its name, its data, and the id that a client sends to go on behind it."""

    event: str
    data: str
    id: str | None


class EventReader:
    """Makes events of lines."""

    def __init__(self) -> None:
        """Begin a stream."""
        self._event = ""
        self._id: str | None = None
        self._data: list[str] = []

    def line(self, line: str) -> ServerEvent | None:
        """Take the next line, without its end; return the event that it completes."""
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
        return None

    def _complete(self) -> ServerEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return ServerEvent(event, "\n".join(data), self._id) if data else None
