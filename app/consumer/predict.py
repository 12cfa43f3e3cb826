"""What is done with a message of `queue.model.predict`."""

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from app import errors
from app.consumer.delivery import Delivery
from app.messages import LATEST, PredictRequest, Reply, Row, Status
from app.serving import Model

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Predict:
    """The handler of `queue.model.predict`.

    `find` returns a model by its id; `latest` the id of the one that finished last.
    """

    find: Callable[[str], Model]
    latest: Callable[[str | None], str]

    def __call__(self, deliveries: list[Delivery]) -> None:
        """Answer each message, those for one model in one run; a bad row spoils its own only."""
        groups: dict[str, list[tuple[Delivery, PredictRequest]]] = defaultdict(list)
        for delivery in deliveries:
            if request := delivery.decode(PredictRequest):
                try:
                    groups[self._name(request)].append((delivery, request))
                except errors.WarrenError as error:
                    delivery.reply(Reply.error(error, request.model_id))
        for model_id, asked in groups.items():
            try:
                _answer(asked, self.find(model_id))
            except errors.WarrenError as error:
                for delivery, _ in asked:
                    delivery.reply(Reply.error(error, model_id))
            except Exception:  # a bug with one model is none of the others' business
                logger.exception("predictions of %s go to the dead letters", model_id)
                for delivery, _ in asked:
                    delivery.reply(Reply.error(errors.WarrenError(), model_id))
                    delivery.reject()

    def _name(self, request: PredictRequest) -> str:
        return self.latest(request.dataset_id) if request.model_id == LATEST else request.model_id


def _answer(asked: list[tuple[Delivery, PredictRequest]], model: Model) -> None:
    """Check every message's rows, run the good ones together, reply to each."""
    rows: list[Row] = []
    waiting: list[tuple[Delivery, PredictRequest]] = []
    for delivery, request in asked:
        try:
            for row in request.rows:
                model.check(row)
        except errors.Invalid as error:
            delivery.reply(Reply.error(error, model.manifest.model_id))
        else:
            rows += request.rows
            waiting.append((delivery, request))
    answers = iter(model.predict(rows) if rows else ())
    model_id = model.manifest.model_id
    for delivery, request in waiting:
        mine = list(islice(answers, len(request.rows)))
        whole = [answer for answer in mine if answer is not None]
        if len(whole) < len(mine):
            infinite = errors.Invalid("input_data: has no finite answer", field="input_data")
            delivery.reply(Reply.error(infinite, model_id))
            continue
        fields = whole[0]
        if isinstance(request.input_data, list):
            fields = {name: [answer[name] for answer in whole] for name in fields}
        delivery.reply(Reply(Status.COMPLETED, model_id, fields))
