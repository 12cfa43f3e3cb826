"""All that a model's page and its reports show, read by the functions of the JSON routes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from app import errors
from app.auth.names import owner_of, qualified
from app.concurrency import run_in_thread
from app.models.alias_history import AliasChange, read_version_history
from app.models.evaluation import Evaluation
from app.producer.routes.model_evaluation import evaluation
from app.producer.routes.model_metadata import metadata
from app.producer.routes.models import model
from app.producer.schemas.models import Metadata
from app.producer.services import Services
from app.producer.ui.plots.evaluation import plots_of
from app.producer.ui.plots.svg import Plot

CHANGES = 20  # of aliases, that a page shows

# What not every model has: a name, and what a training tells of itself.
_MAY_LACK = (
    *("name", "version", "aliases", "estimator", "dataset_id", "dataset_version", "target"),
    *("rows", "runtime", "runtime_reason", "parity", "params", "versions", "warnings"),
)


@dataclass(frozen=True)
class ModelFacts:
    """A model's description, its inputs, and its evaluation, or why there is none.

    What the model has not is None in its description. `history` has the newest changes of the
    aliases that pointed to it, each with its alias; of other owners' models there is none.
    """

    detail: dict[str, Any]
    inputs: Metadata
    evaluation: Evaluation | None
    plots: list[Plot]
    missing: str | None
    history: list[tuple[str, AliasChange]]

    @property
    def scores(self) -> list[tuple[str, float | None, float | None, float | None]]:
        """Each metric: of the tested rows, of the baseline, of the rows that it learnt from."""
        found = self.evaluation
        if found is None:
            return [(name, each, None, None) for name, each in self.detail["metrics"].items()]
        base = found.baseline.scores if found.baseline else {}
        names = dict.fromkeys((*found.test_scores, *found.train_scores))
        return [
            (name, found.test_scores.get(name), base.get(name), found.train_scores.get(name))
            for name in names
        ]

    @property
    def features(self) -> list[dict[str, Any]]:
        """Each column: what the data had in it, and its importance, as far as they are known."""
        profiles, importance = {}, {}
        if self.evaluation and self.evaluation.data:
            profiles = {each.name: each for each in self.evaluation.data.columns}
        if self.evaluation and self.evaluation.importance:
            importance = {e.feature: e.mean for e in self.evaluation.importance.features}
        return [
            {
                "input": each,
                "profile": profiles.get(each.name),
                "importance": importance.get(each.name),
            }
            for each in self.inputs.inputs or ()
        ]


async def read_facts(services: Services, owner: str, model_id: str) -> ModelFacts:
    """Return the facts of a model. Raises what `GET /models/{id}` does."""
    described, inputs = await asyncio.gather(
        model(model_id, services, owner, Response()), metadata(model_id, services, owner)
    )
    detail = {**dict.fromkeys(_MAY_LACK), **described}
    history: list[tuple[str, AliasChange]] = []
    if detail["name"] and owner_of(qualified(owner, detail["model_id"])) == owner:
        full, engine = qualified(owner, detail["name"]), services.jobs.engine
        history = await run_in_thread(
            read_version_history, engine, full, detail["version"], CHANGES
        )
    try:
        answer = await evaluation(model_id, services, owner)
    except errors.Conflict as error:
        return ModelFacts(detail, inputs, None, [], error.message, history)
    found = await run_in_thread(Evaluation.model_validate_json, bytes(answer.body))
    return ModelFacts(detail, inputs, found, await run_in_thread(plots_of, found), None, history)
