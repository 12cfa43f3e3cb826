# Written by `python -m devstack.blocking_client`; change asynchronous/names.py instead.
"""The names of a server's models: what they are for, and which version gets which calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from warren_client.blocking.listing import entries
from warren_client.calls import Call, get, part, with_json

if TYPE_CHECKING:
    from warren_client.blocking.transport import Transport

Answer = dict[str, Any]


class Names:
    """All names: by name in brackets, one after the other in a loop, the newest first."""

    def __init__(self, transport: Transport) -> None:
        """Show the names of a server."""
        self._transport = transport

    def __repr__(self) -> str:
        return f"<names of the Warren at {self._transport.server.url}>"

    def __getitem__(self, name: str) -> Answer:
        """Return what is known of a name: description, tags, split. Raises `NotFound`."""
        return dict(self._transport.json(get(_name(name))))

    def version(self, name: str, version: int) -> Answer:
        """Return what is known of a version of a name. Raises `NotFound`."""
        return dict(self._transport.json(get(_version(name, version))))

    def __iter__(self) -> Iterator[Answer]:
        return self.list()

    def list(
        self, *, tag: str | None = None, sort: str | None = None, limit: int | None = None
    ) -> Iterator[Answer]:
        """Yield names, at most `limit`; the filters are those of `GET /names`."""
        return entries(self._transport, "/names", "names", limit, tag=tag, sort=sort)

    def describe(
        self,
        name: str,
        description: str | None = None,
        tags: Sequence[str] | None = None,
        version: int | None = None,
    ) -> Answer:
        """Change what a name, or a version of it, is for, and its tags; return what it has then.

        What is None stays as it is; `""` and `[]` clear. Raises `WarrenError`.
        """
        path = _name(name) if version is None else _version(name, version)
        known = self._transport.json(get(path))
        body = {
            "description": known["description"] if description is None else description or None,
            "tags": known["tags"] if tags is None else list(tags),
        }
        return dict(self._transport.json(with_json("PUT", path, body)))

    def delete(self, name: str) -> None:
        """Delete a name that has never had a version. Raises `Conflict`, `WarrenError`."""
        self._transport.send(Call("DELETE", _name(name)))

    def split(self, name: str, weights: Mapping[int, float]) -> Answer:
        """Split the calls of a name among versions by weights; return the name.

        Raises `WarrenError`.
        """
        body = {"weights": {str(version): weight for version, weight in weights.items()}}
        return dict(self._transport.json(with_json("PUT", f"{_model(name)}/split", body)))

    def end_split(self, name: str) -> None:
        """Let all calls of a name get its newest version again. Raises `WarrenError`."""
        self._transport.send(Call("DELETE", f"{_model(name)}/split"))

    def shadow(self, name: str) -> Answer:
        """Return the shadow of a name, and how its answers compare. Raises `NotFound`."""
        return dict(self._transport.json(get(f"{_model(name)}/shadow")))

    def set_shadow(self, name: str, version: int, alias: str, share: float) -> Answer:
        """Send a share of an alias's calls to a version, too; return the shadow.

        Raises `WarrenError`.
        """
        body = {"alias": alias, "version": version, "share": share}
        return dict(self._transport.json(with_json("PUT", f"{_model(name)}/shadow", body)))

    def end_shadow(self, name: str) -> None:
        """Delete the shadow of a name and what was compared. Raises `WarrenError`."""
        self._transport.send(Call("DELETE", f"{_model(name)}/shadow"))


def _name(name: str) -> str:
    return f"/names/{part(name)}"


def _model(name: str) -> str:
    return f"/models/{part(name)}"


def _version(name: str, version: int) -> str:
    return f"{_model(name)}/versions/{version}"
