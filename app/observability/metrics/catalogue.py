"""All metrics of Warren. docs/monitoring.md lists them; a test keeps both equal."""

from app.observability.metrics.families import (
    CONSUMER,
    PRODUCER,
    Counter,
    Family,
    Gauge,
    Histogram,
)

# 0.1 s is a bound, because it is the objective of /predict.
_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_RUN = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0, 5.0, 15.0)
_LOAD = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 1000.0, 10_000.0)
_JOB = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)

HTTP = Histogram(
    "warren_http_request_duration_seconds",
    "From the arrival of a request's head to the head of its response.",
    ("route", "method", "code"),
    (PRODUCER,),
    bounds=_REQUEST,
)
CALLS = Gauge(
    "warren_calls_in_flight",
    "Calls and jobs of this producer that wait for a reply of a consumer.",
    of=(PRODUCER,),
)
JOBS = Gauge("warren_jobs", "Rows of the job table.", ("state", "kind"), (PRODUCER,))
JOBS_DELAYED = Gauge(
    "warren_jobs_waiting_for_retry",
    "Queued jobs whose next attempt may not begin yet.",
    ("kind",),
    (PRODUCER,),
)
OLDEST_QUEUED = Gauge(
    "warren_job_oldest_queued_seconds",
    "The age of the oldest queued job that may begin; 0 without one.",
    ("kind",),
    (PRODUCER,),
)
QUEUE_MESSAGES = Gauge(
    "warren_queue_messages", "Messages that wait in a queue of the broker.", ("queue",), (PRODUCER,)
)
QUEUE_CONSUMERS = Gauge(
    "warren_queue_consumers", "Threads that consume a queue of the broker.", ("queue",), (PRODUCER,)
)
WORKERS = Gauge(
    "warren_workers", "Consumers by what is heard of them.", ("state", "version"), (PRODUCER,)
)
DISK_FREE = Gauge(
    "warren_disk_free_bytes",
    "The free space of a disk that keeps a reserve.",
    ("folder",),
    (PRODUCER,),
)
DISK_RESERVE = Gauge(
    "warren_disk_reserve_bytes",
    "What new uploads and jobs must leave free of a disk.",
    of=(PRODUCER,),
)

PREDICTIONS = Counter(
    "warren_predictions_total",
    "Requests for a prediction that a caller waits for, by what answered.",
    ("runtime", "outcome"),
    (CONSUMER,),
)
BATCH_ROWS = Histogram(
    "warren_prediction_batch_rows",
    "Rows and images that a model answers in one run.",
    ("runtime",),
    (CONSUMER,),
    bounds=_ROWS,
)
RUN = Histogram(
    "warren_model_run_seconds",
    "How long a run of a model takes.",
    ("runtime",),
    (CONSUMER,),
    bounds=_RUN,
)
LOADS = Counter(
    "warren_model_loads_total", "Loads of models by how they ended.", ("outcome",), (CONSUMER,)
)
LOAD = Histogram(
    "warren_model_load_seconds",
    "How long a load of a model takes.",
    of=(CONSUMER,),
    bounds=_LOAD,
)
EVICTIONS = Counter(
    "warren_model_evictions_total",
    "Models that the cache forgot to make room for others.",
    of=(CONSUMER,),
)
MODELS = Gauge("warren_models_loaded", "Models in the cache.", of=(CONSUMER,))
MODEL_BYTES = Gauge(
    "warren_models_loaded_bytes", "Memory of the models in the cache.", of=(CONSUMER,)
)

QUEUE_WAIT = Histogram(
    "warren_job_queue_wait_seconds",
    "From the acceptance of a job to its first attempt.",
    ("kind",),
    (CONSUMER,),
    bounds=_JOB,
)
ATTEMPTS = Counter(
    "warren_job_attempts_total",
    "Attempts that began, by why they were needed.",
    ("kind", "reason"),
    (CONSUMER,),
)
ATTEMPT = Histogram(
    "warren_job_attempt_duration_seconds",
    "How long an attempt took, by how it ended.",
    ("kind", "outcome"),
    (CONSUMER,),
    bounds=_JOB,
)
RECOVERIES = Counter(
    "warren_recoveries_total",
    "Times that Warren kept a job from being lost or done twice.",
    ("kind",),
    known=[(kind,) for kind in ("duplicate", "takeover", "fenced", "retry", "republish")],
)
IN_HAND = Gauge("warren_jobs_in_hand", "Jobs whose lease this consumer renews.", of=(CONSUMER,))
UNACKNOWLEDGED = Gauge(
    "warren_unacknowledged_messages",
    "Deliveries that this consumer holds unacknowledged: in hand, and in its prefetch.",
    ("queue",),
    (CONSUMER,),
)
THREADS = Gauge("warren_threads", "The threads of each kind (`--num_threads`).", of=(CONSUMER,))
CHILDREN = Gauge(
    "warren_child_processes",
    "Children of this consumer: `fit` fits a model, `answer` answers for one.",
    ("purpose",),
    (CONSUMER,),
)
CHILD_BYTES = Gauge(
    "warren_child_memory_bytes",
    "Memory of this consumer's children, without the pages that they share.",
    ("purpose",),
    (CONSUMER,),
)

BROKER = Gauge("warren_broker_connected", "1 while all connections to the broker are served.")
DATABASE = Gauge("warren_database_connected", "1 if the last look at the database succeeded.")
BUILD = Gauge("warren_build_info", "1; the labels tell what runs.", ("version", "python"))

FAMILIES = [each for each in list(globals().values()) if isinstance(each, Family)]
