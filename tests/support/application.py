"""The producer's application with a database; other servers are away."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.auth.actor import SYSTEM
from app.auth.grants import Grants
from app.datasets.descriptions import Descriptions
from app.datasets.versions import DatasetVersions
from app.jobs.quotas import JobQuotas
from app.jobs.store import JobStore
from app.models.aliases import Wanted, set_alias
from app.models.references import ModelReferences
from app.models.registry import CachedModelRegistry
from app.models.shadows import WantedShadow, write_shadow
from app.producer.admission import AdmissionControl
from app.producer.answers.event_stream import EventStreams
from app.producer.answers.oip_errors import is_of_protocol
from app.producer.app import create_app
from app.producer.callers.access import Access
from app.producer.disk_reserve import DiskReserve
from app.producer.jobs.job_views import show_job
from app.producer.jobs.job_watch import JobWatch
from app.producer.model_features import ModelFeatures
from app.producer.rpc.client import RpcClient
from app.producer.rpc.router import PredictionRouter
from app.producer.services import Services
from app.producer.shadow_calls import ShadowCalls
from app.producer.shadow_tally import ShadowTally
from app.producer.ui.assets import address
from app.protocol.types import JobKind
from app.settings import Settings
from app.storage.batch_files import BatchFiles
from app.storage.client import S3Client
from app.storage.model_files import ModelStore
from tests.support.rows import ENDPOINT

IDS = {
    "{model_id}": "remote",
    "{job_id}": "ended",
    "{dataset_id:path}": "data",
    "{dataset_id}": "data",
    "{name}": "named",
    "{version}": "1",
    "{alias}": "champion",
    "{key_id}": "nokey",
    "{grantee}": "blue",
    "{file}": address("style.css").rpartition("/")[2],
}
QUERIES = {
    "/ui/job": "?job_id=ended",
    "/ui/cancel-jobs": "?state=TASK_COMPLETED",
    "/ui/name": "?name=named",
    "/ui/names/named/promote": "?alias=champion&version=1",
    "/ui/names/named/rollback": "?alias=champion",
    "/ui/names/named/split": "?weights=1%3D1",
    "/ui/names/named/shadow": "?alias=champion&version=1&share=0.1",
    "/ui/compare": "?model_ids=remote,remote",
    "/ui/dead-letters/ask": "?action=drop&ids=a",
    "/metadata": "?model_id=remote",
    "/predict/test": "?model_id=remote",
}
FILE = "/static/favicon.png"


def with_ids(path: str) -> str:
    """Return the path of a route with a value for each of its parameters."""
    for parameter, value in IDS.items():
        path = path.replace(parameter, value)
    assert "{" not in path, f"{path}: give its parameter a value in IDS"
    return path


def paths() -> dict[str, set[str]]:
    """Return the methods of each path of the application, with ids filled in."""
    found: dict[str, set[str]] = defaultdict(set)
    for context in iter_route_contexts(create_app(Settings(_env_file=None)).routes):
        found[with_ids(context.path or "")] |= context.methods or set()
    for methods in found.values():
        methods |= {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    # PUT takes the rest of the path, so that an id with a slash is named as the error.
    for below in ("file", "grants"):
        found[f"/datasets/data/{below}"].add("PUT")
    del found[""], found["/static"]  # the route of all other requests; the mounted files
    return {**found, FILE: {"GET", "HEAD", "OPTIONS"}}


def detail_of(path: str, answer: httpx2.Response) -> str:
    """Return the text of an error, which has the form that is due below its path."""
    if is_of_protocol(path):
        assert answer.headers["content-type"] == "application/json"
        assert answer.request.method == "HEAD" or answer.json().keys() == {"error"}
        return "" if answer.request.method == "HEAD" else str(answer.json()["error"])
    assert answer.headers["content-type"] == "application/problem+json"
    return "" if answer.request.method == "HEAD" else str(answer.json()["detail"])


@contextmanager
def application(database_url: str, **more: Any) -> Iterator[FastAPI]:
    """Yield an application with a database that has jobs and a model; `more` are settings.

    `more` may name servers that are there. If it authenticates, its key ring `state.keys` does not
    run: call `refresh`.
    """
    nowhere = {"aws_endpoint_url": "http://127.0.0.1:1", "rabbitmq_port": 1}
    secrets = {"aws_access_key_id": "id", "aws_secret_access_key": "key"}
    settings = Settings(
        _env_file=None, **{"database_url": database_url, **nowhere, **secrets, **more}
    )
    jobs, s3 = JobStore(database_url), S3Client(settings)
    rpc = RpcClient(None)  # type: ignore[arg-type]
    models = CachedModelRegistry(jobs)
    files = ModelStore(s3, "models/")
    features = ModelFeatures(models, files).of
    predictions, in_flight = PredictionRouter(rpc, 1.0), AdmissionControl(9, 9_000_000)
    versions = DatasetVersions.of(jobs.engine, s3, "data/")
    made = create_app(settings)
    made.state.services = Services(
        settings=settings,
        rpc=rpc,
        predictions=predictions,
        in_flight=in_flight,
        shadows=ShadowCalls(predictions, in_flight, ShadowTally(jobs.engine), features),
        jobs=jobs,
        models=models,
        s3=s3,
        datasets=versions,
        descriptions=Descriptions(versions),
        model_files=files,
        batch_files=BatchFiles(s3, "batches/"),
        streams=EventStreams(1, None),
        watch=JobWatch(jobs, partial(show_job, jobs)),
        access=Access(Grants(jobs.engine), ModelReferences(jobs.engine)),
        quotas=JobQuotas(),
        disks=DiskReserve((), 0),
        uploads=CapacityLimiter(1),
        keys=made.state.keys,
    )
    models.register("remote", ENDPOINT)
    models.register("versioned", ENDPOINT, name="named")
    set_alias(jobs.engine, "named", "champion", Wanted(1), SYSTEM, lambda _: None)
    write_shadow(jobs.engine, "named", WantedShadow("champion", 1, 0.1), SYSTEM)
    for job_id in ("ended", "waiting"):
        jobs.create(job_id, JobKind.TRAIN, "data", {})
    jobs.cancel("ended")
    yield made
    jobs.close()
    if made.state.keys:
        made.state.keys.engine.dispose()
