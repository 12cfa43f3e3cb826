"""Do the steps of batch jobs: split a table into parts, score a part, join the results."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import errors
from app.backoff import RetryUntilAvailable
from app.consumer.held_table_model import HeldTableModel
from app.consumer.work_folders import work_folder
from app.datasets.versions import DatasetVersions
from app.inference.part_process import joined_results, score_part, split_table
from app.inference.row_problems import RowProblems
from app.inference.table_layout import (
    TableLayout,
    endpoint_scores_no_table,
    trained_layout,
    uploaded_layout,
)
from app.jobs import parts
from app.jobs.outcomes import BatchDone, PartDone, PartsMade
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import ModelRecord
from app.protocol.batch_request import BatchRequest
from app.protocol.validation import validate
from app.storage.batch_files import BatchFiles
from app.storage.model_files import ModelStore

log = logging.getLogger(__name__)

KEEP_SECONDS = 60.0  # how long a file waits for S3 before the attempt fails

Beat = Callable[[], None]  # raises if the attempt has to end


@dataclass(frozen=True)
class BatchWork:
    """The steps of a batch job, and what they need; any thread may call them.

    A job may have `max_rows` rows. Methods raise `errors.WarrenError` and `OSError`.
    """

    jobs: JobStore
    find: Callable[[str], ModelRecord]
    models: ModelStore
    datasets: DatasetVersions
    files: BatchFiles
    retry: RetryUntilAvailable
    max_rows: int

    def split(self, job: Job, attempt: int, beat: Beat) -> PartsMade:
        """Split the table of a job, and store its parts.

        Raises `errors.TooLarge` for more than `max_rows` rows, and `errors.BadData` for none.
        """
        request = validate(BatchRequest, job.request)
        layout = self._result_layout(request)
        made: list[parts.NewPart] = []
        count = 0
        with work_folder() as folder:
            table = folder / "table"
            name = request.dataset_id or f"of job {job.id}"
            table_format = self._fetch(job, request, table, beat)
            for part in split_table(table, folder, layout, table_format, name, beat):
                key = self.files.part_key(job.id, attempt, len(made))
                self._put(key, part.path)
                made.append(parts.NewPart(key, part.rows, count))
                count += part.rows
                if count > self.max_rows:
                    raise errors.TooLarge(
                        "dataset_id", f"a batch job may have {self.max_rows:,} rows; split the file"
                    )
        if not made:
            raise errors.BadData("dataset_id", "there are no rows to score")
        log.info("%d rows in %d parts", count, len(made))
        return PartsMade(made)

    def score(self, part: Job, attempt: int, held: HeldTableModel, beat: Beat) -> PartDone:
        """Score a part, and store its result. Raises `errors.Fenced` if its job has ended."""
        job = self.retry(lambda: self.jobs.get(str(part.parent)))
        if job is None or job.ended:
            parts.cancel_parts(self.jobs.engine, str(part.parent))
            raise errors.Fenced
        request = validate(BatchRequest, job.request)
        with work_folder() as folder, held.use(request.model_id) as model:
            path, result = folder / "part", folder / "result"
            self._get(part.request["key"], path, beat)
            layout = model.layout.for_request(request)
            report = score_part(path, result, layout, model.answer, beat)
            key = self.files.scored_key(job.id, part.part or 0, attempt, layout.format)
            self._put(key, result)
        return PartDone(key, report)

    def join(self, job: Job, attempt: int, beat: Beat) -> BatchDone:
        """Join the results of all parts, and store them as one file."""
        layout = self._result_layout(validate(BatchRequest, job.request))
        problems, rows, scored = RowProblems(), 0, 0
        with work_folder() as folder:
            path, piece = folder / "result", folder / "piece"
            with joined_results(path, layout) as add:
                for part in self.retry(lambda: parts.parts_of(self.jobs.engine, job.id)):
                    self._get(str(part.result_key), piece, beat)
                    add(piece)
                    report = part.result or {}
                    problems.merge(
                        {**each, "rows": [row + part.request["first"] for row in each["rows"]]}
                        for each in report["problems"]
                    )
                    rows += report["rows"]
                    scored += report["scored"]
                    beat()
            key = self.files.result_key(job.id, attempt, layout.format)
            sha256, size = self._put(key, path)
        result = {
            "format": layout.format,
            "columns": [*layout.chosen, *layout.answer_columns],
            "size": size,
            "rows": rows,
            "scored": scored,
            "not_scored": rows - scored,
            "problems": problems.report(),
        }
        return BatchDone(key, sha256, result, size)

    def clean_up(self, job_id: str, kept: str) -> None:
        """Delete the files and rows of the parts of a job that has completed."""
        with suppress(errors.Unavailable):  # the sweeper does it later
            if self.files.delete_folder(self.files.folder(job_id), kept):
                parts.forget_parts(self.jobs.engine, job_id)

    def _result_layout(self, request: BatchRequest) -> TableLayout:
        record = self.retry(lambda: self.find(request.model_id))
        if isinstance(record.spec, EndpointSpec):
            raise endpoint_scores_no_table(record.model_id)
        if isinstance(record.spec, OnnxManifest):
            return uploaded_layout(record.spec).for_request(request)
        file = record.require_file()
        manifest = self.retry(lambda: self.models.get_manifest(file.key))
        return trained_layout(manifest).for_request(request)

    def _fetch(
        self, job: Job, request: BatchRequest, path: Path, beat: Beat
    ) -> dict[str, Any] | None:
        """Download the table of a job; return how it is read, if that is known."""
        if request.dataset_id is None:
            self._get(self.files.upload_key(job.id), path, beat)
            return request.table_format
        version = self.retry(
            lambda: self.datasets.get(str(request.dataset_id), str(job.dataset_version))
        )
        self.retry(
            lambda: self.datasets.download(version, str(path), lambda _: beat()), KEEP_SECONDS
        )
        return version.table_format

    def _get(self, key: str, path: Path, beat: Beat) -> None:
        self.retry(lambda: self.files.download(key, path, lambda _: beat()), KEEP_SECONDS)

    def _put(self, key: str, path: Path) -> tuple[str, int]:
        return self.retry(lambda: self.files.put(key, path), KEEP_SECONDS)
