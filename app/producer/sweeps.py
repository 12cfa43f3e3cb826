"""What the producer deletes in the background."""

from collections.abc import Callable
from functools import partial

from app.auth.audit_retention import delete_old_audit
from app.datasets.loose_files import delete_loose_files
from app.datasets.retention import delete_unneeded_versions
from app.jobs.retention import Retention, delete_old_jobs
from app.jobs.sweeper import Sweeper
from app.jobs.workers import forget_lost
from app.models.folder_use import unneeded_folders
from app.producer.batch_sweep import clean_up_batches, delete_results
from app.producer.services import Services
from app.settings import Settings
from app.storage.unneeded_files import abort_old_uploads, delete_unneeded_folders


def sweeper_of(settings: Settings, services: Services) -> Sweeper:
    """Return the thread that deletes what is not kept."""
    s3, engine, age = services.s3, services.jobs.engine, settings.keep_file_seconds
    models, data = settings.s3_model_path_name, settings.s3_path_name
    keep = Retention(settings.keep_job_days, settings.keep_jobs, settings.keep_job_bytes)
    batches, batch_files = settings.s3_batch_path_name, services.batch_files
    sweeps: dict[str, Callable[[], int]] = {
        "models without a row": partial(
            delete_unneeded_folders, s3, models, age, partial(unneeded_folders, engine)
        ),
        "versions of data sets": partial(delete_unneeded_versions, services.datasets, age),
        "files of no version": partial(delete_loose_files, engine, services.datasets.files, age),
        "unfinished uploads of models": partial(abort_old_uploads, s3, models, age),
        "unfinished uploads of data sets": partial(abort_old_uploads, s3, data, age),
        "unfinished uploads of batch jobs": partial(abort_old_uploads, s3, batches, age),
        "lost consumers": partial(forget_lost, engine),
        "batch jobs with parts": partial(clean_up_batches, services.jobs, batch_files),
        "old jobs": partial(
            delete_old_jobs, engine, keep, delete_results=partial(delete_results, batch_files)
        ),
        "rows of the audit log": partial(delete_old_audit, engine, settings.keep_audit_days),
    }
    return Sweeper(sweeps, settings.sweep_seconds)
