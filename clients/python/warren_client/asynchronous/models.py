"""The models of a server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from warren_client.asynchronous.listing import entries
from warren_client.asynchronous.model import AsyncModel
from warren_client.asynchronous.primitives import READ_BYTES, work
from warren_client.calls import UPLOAD_SECONDS, Call, Form, get, parameters, part, with_json
from warren_client.comparison import comparison
from warren_client.model_archive import zipped
from warren_client.records import ModelRecord, member, read

if TYPE_CHECKING:
    from warren_client.asynchronous.warren import AsyncWarren

Objects = list[dict[str, Any]]
_ZIP = {"Content-Type": "application/zip"}


class AsyncModels:
    """All models: by reference in brackets, one after the other in a loop, the newest first.

    A reference is an id, a name (its newest version), `name@alias`, `name:3`, or `latest`.
    """

    def __init__(self, warren: AsyncWarren) -> None:
        """Show the models of a server."""
        self._warren = warren

    def __repr__(self) -> str:
        return f"<models of the Warren at {self._warren.transport.server.url}>"

    async def __getitem__(self, reference: str) -> AsyncModel:
        """Return a model. Raises `NotFound`, `WarrenError`."""
        answer = await self._warren.transport.json(get(f"/models/{part(reference)}"))
        return AsyncModel(self._warren, read(ModelRecord, answer))

    def __aiter__(self) -> AsyncIterator[AsyncModel]:
        return self.list()

    async def list(
        self,
        *,
        dataset_id: str | None = None,
        dataset_version: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        estimator: str | None = None,
        tag: str | None = None,
        metric: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AsyncModel]:
        """Yield models, at most `limit`; the filters are those of `GET /models`.

        Their records are short: brackets give the whole one.
        """
        filters = {"dataset_id": dataset_id, "dataset_version": dataset_version, "kind": kind}
        more = {"name": name, "estimator": estimator, "tag": tag, "metric": metric, "sort": sort}
        found = entries(self._warren.transport, "/models", "models", limit, **filters, **more)
        async for entry in found:
            yield AsyncModel(self._warren, read(ModelRecord, entry))

    async def compare(self, references: Sequence[str]) -> Any:
        """Return models side by side, with a column for each metric: a DataFrame.

        Without pandas it is a list of objects. Raises `WarrenError`.
        """
        records = [(reference, (await self[reference]).record) for reference in references]
        return comparison(records)

    async def upload(
        self,
        file: str | Path,
        manifest: Mapping[str, Any] | None = None,
        name: str | None = None,
        model_id: str | None = None,
    ) -> AsyncModel:
        """Register an ONNX file with its manifest, or the folder of an MLflow model; return it.

        Without a manifest, the file is a folder that MLflow has saved, or a zip of one. Without an
        id, the id follows from the content, so the same model is registered once. With a `name` the
        model is the next version of it. Raises `Unsendable`, `OSError`, `WarrenError`.
        """
        path = Path(file)
        if manifest is None:
            return await self._upload_folder(path, name, model_id)
        sent = dict(manifest) if name is None else {**manifest, "name": name}
        if model_id is None:
            model_id = await work(lambda: _id(path, sent))
        return await self._put(model_id, form=Form(sent, path))

    async def register(
        self, model_id: str, endpoint: Mapping[str, Any], name: str | None = None
    ) -> AsyncModel:
        """Register an endpoint, a model that runs elsewhere; return it.

        `endpoint` is what `PUT /models/{id}` takes: `{"url": ...}` or `{"sagemaker": ...}`, and
        perhaps `secret`, `seconds`, `limit`, `idempotent`, `sample`. With a `name` the model is the
        next version of it. The same endpoint again is the same model. Raises `WarrenError`.
        """
        body = {"kind": "endpoint", **endpoint} | ({} if name is None else {"name": name})
        call = with_json("PUT", f"/models/{part(model_id)}", body)
        return await self[member(await self._warren.transport.json(call), "model_id")]

    async def _upload_folder(
        self, path: Path, name: str | None, model_id: str | None
    ) -> AsyncModel:
        with TemporaryDirectory(prefix="warren-") as folder:
            archive = await work(lambda: zipped(path, Path(folder)))
            if model_id is None:
                model_id = await work(lambda: _id(archive, name and {"name": name}))
            sent = parameters({"name": name})
            return await self._put(model_id, body=archive, headers=_ZIP, params=sent)

    async def _put(self, model_id: str, **sent: Any) -> AsyncModel:
        call = Call("PUT", f"/models/{part(model_id)}", seconds=UPLOAD_SECONDS, **sent)
        return await self[member(await self._warren.transport.json(call), "model_id")]

    async def versions(self, name: str) -> Objects:
        """Return the versions of a name, with their models and aliases. Raises `WarrenError`."""
        path = f"/models/{part(name)}/versions"
        return [each async for each in entries(self._warren.transport, path, "versions", None)]

    async def history(self, name: str, alias: str) -> Objects:
        """Return to which versions an alias has pointed, who changed it, and why.

        Raises `WarrenError`.
        """
        path = f"{_alias(name, alias)}/history"
        return [each async for each in entries(self._warren.transport, path, "history", None)]

    async def rollback(self, name: str, alias: str, why: str | None = None) -> dict[str, Any]:
        """Let an alias point to the version before; return the server's answer.

        `why` is kept in the history. It is not sent twice, because each call goes one step back.
        Raises `WarrenError`.
        """
        path, body = f"{_alias(name, alias)}/rollback", None if why is None else {"why": why}
        return dict(await self._warren.request("POST", path, body, once=True))

    async def delete_alias(self, name: str, alias: str) -> None:
        """Delete an alias; its history stays. Raises `NotFound` for the name, `WarrenError`."""
        call = Call("DELETE", _alias(name, alias), once=True)
        await self._warren.transport.send(call)

    async def delete(self, reference: str) -> None:
        """Delete a model and its file; its id is never used again.

        The server refuses a name alone and an alias, which may mean another model by then. Raises
        `WarrenError`.
        """
        await self._warren.transport.send(Call("DELETE", f"/models/{part(reference)}"))


def _alias(name: str, alias: str) -> str:
    return f"/models/{part(name)}/aliases/{part(alias)}"


def _id(file: Path, manifest: object = None) -> str:
    """Return an id that follows from a model's content."""
    told = b"" if manifest is None else json.dumps(manifest, sort_keys=True).encode()
    digest = hashlib.sha256(told)
    with file.open("rb") as content:
        while piece := content.read(READ_BYTES):
            digest.update(piece)
    return f"model-{digest.hexdigest()[:24]}"
