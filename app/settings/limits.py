"""The settings that bound what requests and jobs may take; see `settings`."""

from typing import Annotated

from annotated_types import Unit
from pydantic import Field
from pydantic_settings import BaseSettings

MIN_FIT_MEMORY = 50_000_000  # no fit runs in less

Seconds = Annotated[float, Unit("seconds")]
Bytes = Annotated[int, Unit("bytes")]


class LimitSettings(BaseSettings):
    """The limits. docs/reliability.md says what a client gets at each of them."""

    train_wait: Seconds = Field(
        1.0,
        gt=0,
        description="How long `POST /train` waits for a consumer to check the request. After "
        "that it answers 202 `TASK_QUEUED`.",
    )
    predict_timeout: Seconds = Field(
        10.0,
        gt=0,
        description="How long a prediction may take. After that the caller gets a 504 and the "
        "message expires. It also limits how long the JSON body of a request may take to arrive.",
    )
    max_connections: Annotated[int, Unit("connections")] = Field(
        4096,
        ge=1,
        description="How many HTTP connections are open. One more takes the place of the longest "
        "idle one; if none is idle, it gets a 503.",
    )
    head_seconds: Seconds = Field(
        15.0,
        gt=0,
        description="How long the header fields of a request may take, and how long a new "
        "connection may be silent. After that it is closed, with a 408 if a request has begun.",
    )
    max_event_streams: Annotated[int, Unit("streams")] = Field(
        1000,
        ge=1,
        description="How many streams of events of jobs are open. More get a 503.",
    )
    max_in_flight: Annotated[int, Unit("predictions")] = Field(
        4096, ge=1, description="How many predictions the producer has in flight. More get a 503."
    )
    max_in_flight_bytes: Bytes = Field(
        32_000_000,
        ge=4_000_000,
        description="The size of the bodies of all requests that arrive or are in flight. Those "
        "that still arrive may take three quarters of it. More get a 503.",
    )
    max_queued: Annotated[int, Unit("jobs")] = Field(
        100_000, ge=1, description="How many jobs of all callers wait. More get a 503."
    )
    caller_max_requests: Annotated[float | None, Unit("requests a second")] = Field(
        None,
        gt=0,
        description="How many requests a caller may send to each producer. More get a 429, here "
        "and at all limits of a caller. The caller is the owner, of all its keys and users of the "
        "broker together; without a key it is the client's address, of IPv6 its /64, and over AMQP "
        "a user without an owner.",
    )
    caller_max_rows: Annotated[float | None, Unit("rows a second")] = Field(
        None,
        gt=0,
        description="How many rows a caller may have predicted by each producer, counted once for "
        "each model.",
    )
    caller_max_in_flight_bytes: Annotated[int | None, Unit("bytes")] = Field(
        16_000_000,
        ge=4_000_000,
        description="The size of a caller's requests in flight, without those below 4 kB and "
        "without uploads.",
    )
    caller_max_event_streams: Annotated[int | None, Unit("streams")] = Field(
        500, ge=1, description="How many streams of events a caller has open."
    )
    caller_max_queued: Annotated[int | None, Unit("jobs")] = Field(
        10_000, ge=1, description="How many jobs of a caller wait."
    )
    caller_max_queued_bytes: Annotated[int | None, Unit("bytes")] = Field(
        1_000_000_000,
        ge=4_000_000,
        description="The size of the jobs of a caller that wait: their requests and inputs.",
    )
    caller_max_stored: Annotated[int | None, Unit("jobs")] = Field(
        None, ge=1, description="How many jobs of a caller are stored, with those that have ended."
    )
    caller_max_stored_bytes: Annotated[int | None, Unit("bytes")] = Field(
        None, ge=4_000_000, description="The size of these jobs."
    )
    max_body: Bytes = Field(
        4_000_000,
        ge=1,
        le=4_000_000,  # the body becomes a message, which rabbitmq.conf limits to 4 MiB
        description="The largest JSON body of a request. Larger ones get a 413.",
    )
    upload_rate: Annotated[float, Unit("bytes a second")] = Field(
        20_000.0,
        gt=0,
        description="How fast an upload has to come on average, except for pauses of 30 seconds. "
        "A slower one gets a 408.",
    )
    max_dataset: Bytes = Field(2_000_000_000, ge=1, description="The largest data set.")
    max_batch_rows: Annotated[int, Unit("rows")] = Field(
        100_000_000,
        ge=1,
        le=2_000_000_000,
        description="How many rows the table of a batch job may have. With more, the job fails.",
    )
    max_model: Bytes = Field(
        500_000_000,
        ge=1,
        le=2_000_000_000,  # protobuf's limit is 2 GiB
        description="The largest ONNX file that can be registered.",
    )
    max_pixels: Annotated[int, Unit("pixels")] = Field(
        25_000_000, ge=1, description="The largest image of a prediction."
    )

    disk_reserve: Bytes = Field(
        500_000_000,
        ge=0,
        description="How much a disk keeps free. With less, uploads and new jobs get a 507.",
    )
    reserved_folders: str = Field(
        "",
        description="Folders whose disks keep the reserve, separated by commas: those of "
        "PostgreSQL or S3, if they are on the producer's machine. That of SQLite always does.",
    )
    keep_job_days: Annotated[float, Unit("days")] = Field(
        90.0, gt=0, description="How long a job is kept after its end. A model is always kept."
    )
    keep_jobs: Annotated[int, Unit("jobs")] = Field(
        1_000_000, ge=1, description="How many jobs are kept after their end, the newest."
    )
    keep_job_bytes: Bytes = Field(
        10_000_000_000, ge=1, description="The size of all jobs that are kept after their end."
    )
    keep_audit_days: Annotated[float, Unit("days")] = Field(
        365.0, gt=0, le=36_500, description="How long the audit log keeps what was changed."
    )
    keep_file_seconds: Seconds = Field(
        86_400.0,
        ge=3600,  # the registration of a model stores its file first
        description="How old a file of a model is before it is deleted because no model has it.",
    )
    sweep_seconds: Seconds = Field(
        300.0, gt=0, description="How often the producer deletes what is not kept."
    )

    max_attempts: Annotated[int, Unit("failures")] = Field(
        4,
        ge=1,
        description="How often an attempt at a job may fail for a temporary reason. After that "
        "the job ends with `TASK_ERROR`.",
    )
    caller_max_running: Annotated[int | None, Unit("trainings")] = Field(
        None,
        ge=1,
        description="How many trainings of one caller run at a time. More wait in the queue.",
    )
    lease_seconds: Seconds = Field(
        15.0,
        ge=5,
        description="If a consumer does not renew its lease for this long, its job is requeued.",
    )
    fit_seconds: Seconds = Field(
        36_000.0,
        gt=0,
        le=82_800,  # below the broker's consumer_timeout
        description="The longest fit that a request's `max_seconds` may ask for.",
    )
    fit_default_seconds: Seconds = Field(
        3_600.0,
        gt=0,
        description="The longest fit of a request without `max_seconds`, up to `FIT_SECONDS`.",
    )
    fit_memory: Bytes = Field(
        4_000_000_000,
        ge=MIN_FIT_MEMORY,
        description="The memory of a fit. A request's `max_memory` can only lower it.",
    )
