# Written by `python -m devstack.blocking_client`; change asynchronous/model.py instead.
"""A model: ask it, look how good it is, score files, save it, promote it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from warren_client.blocking.predictions import predicted
from warren_client.blocking.primitives import work
from warren_client.blocking.scoring import score_table
from warren_client.calls import Call, get, part, with_json
from warren_client.errors import Invalid
from warren_client.evaluation import Evaluation
from warren_client.html import model_html
from warren_client.progress import Progress
from warren_client.records import ModelRecord, read
from warren_client.rows import inputs_of, shaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from warren_client.blocking.datasets import Dataset
    from warren_client.blocking.job import Job
    from warren_client.blocking.warren import Warren


class Model:
    """A model as the server describes it; `record` has all that is known of it."""

    def __init__(self, warren: Warren, record: ModelRecord) -> None:
        """Show a model of a server."""
        self._warren = warren
        self.record = record

    def __repr__(self) -> str:
        shown = f"{self.name}:{self.version}" if self.name else self.id
        return f"<{self.record.kind or 'a'} model {shown}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return model_html(self.record)

    @property
    def id(self) -> str:
        """The id of the model, which never means another one."""
        return self.record.model_id

    @property
    def name(self) -> str | None:
        """The name of the model, if it has one."""
        return self.record.name

    @property
    def version(self) -> int | None:
        """The version of the name, from 1 on."""
        return self.record.version

    @property
    def metrics(self) -> dict[str, float] | None:
        """The metrics on the test rows, or their means over the folds."""
        return self.record.metrics

    @overload
    def predict(
        self, rows: pd.DataFrame, proba: bool = False, extra: str | None = None
    ) -> pd.Series[Any]: ...

    @overload
    def predict(
        self,
        rows: Sequence[Any] | Mapping[str, Any],
        proba: bool = False,
        extra: str | None = None,
    ) -> Any: ...

    def predict(self, rows: Any, proba: bool = False, extra: str | None = None) -> Any:
        """Predict for a data frame, a row, or a list of rows; for an image or a list of images.

        A frame gives a Series with its index, a list of rows a list, and a single row, which is an
        object, one prediction. With `proba` the answers are the probabilities of each label: a
        DataFrame, or objects. Of a frame only the columns that the model needs are sent; with
        `extra="ignore"` rows may have other members, too.

        An image is the path of a file, its bytes, an image of Pillow, or an array of uint8, height
        x width x 3. A Series of images gives a Series.

        Raises `Unsendable` for values that JSON has no form of, `OSError` for a file that cannot be
        read, and `WarrenError`.
        """
        asked = work(lambda: inputs_of(rows, self.record))
        answers = predicted(self._warren.transport, self.record, asked, extra)
        return shaped(answers, asked, self.record, proba=proba)

    def evaluation(self) -> Evaluation:
        """Return how good the model is, and what it looks at. Raises `WarrenError`.

        `Conflict` means that there is no evaluation, as of models that were not trained here.
        """
        path = f"{self._path}/evaluation"
        return Evaluation(self._warren.transport.json(get(path)))

    def score(
        self,
        table: pd.DataFrame | str | Path | Dataset,
        out: str | Path | Dataset | None = None,
        *,
        columns: Sequence[str] = (),
        format: str | None = None,  # noqa: A002  the name on the wire
        probabilities: bool | None = None,
        timeout: float | None = None,
        progress: Progress = None,
    ) -> Job:
        """Score a whole table in the background, and wait for it; return the batch job.

        The table is a file, a data frame, or a data set. `out` is where the result goes: a file, or
        a data set, which it replaces; `job.download` saves it later, too. The result has the
        `columns` of the table in front, is `csv` or `parquet` (by the suffix of `out`), and has
        `probabilities` by default.

        Raises `Unsendable`, `OSError`, and what `Job.wait` does.
        """
        options = {"columns": list(columns), "format": format, "probabilities": probabilities}
        return score_table(
            self._warren, self.id, table, out, options, timeout=timeout, progress=progress
        )

    def export(self, format: str, path: str | Path) -> Path:  # noqa: A002  as on the wire
        """Save the model as a file; return its path.

        The format `file` is the stored file, ONNX or skops; others, such as `mlflow`, are those of
        `GET /models/{id}/export`. Raises `WarrenError` and `OSError`.
        """
        own = self._path
        call = get(f"{own}/file") if format == "file" else get(f"{own}/export", format=format)
        return self._warren.transport.download(call, Path(path))

    def delete(self) -> None:
        """Delete the model and its file; its id is never used again. Raises `WarrenError`."""
        self._warren.transport.send(Call("DELETE", self._path))

    def promote(
        self,
        alias: str,
        why: str | None = None,
        force: bool = False,
        metric: str | None = None,
    ) -> dict[str, Any]:
        """Let an alias of the model's name point to this version; return the server's answer.

        With a `metric` the server compares it with the version that has the alias, and refuses a
        worse one unless `force` is true. `why` is kept in the history. The call is not sent twice,
        because somebody may have rolled back in between. Raises `WarrenError`.
        """
        if self.name is None or self.version is None:
            raise Invalid(f"model {self.id} has no name; train or upload it with one")
        body = {"version": self.version, "why": why, "metric": metric}
        sent = {name: value for name, value in body.items() if value is not None}
        if force:
            sent["force"] = True
        path = f"/models/{part(self.name)}/aliases/{part(alias)}"
        answer = self._warren.transport.json(with_json("PUT", path, sent, once=True))
        self.record = read(ModelRecord, self._warren.transport.json(get(self._path)))
        return dict(answer)

    @property
    def _path(self) -> str:
        return f"/models/{part(self.id)}"
