"""Count the rows of predictions, where their rate is limited."""

from starlette.types import Scope

from app.protocol.requests import PredictionInputs

TAKE_ROWS = "warren.take_rows"  # the key of the scope under which `RateLimit` leaves a function


def count_rows(scope: Scope, rows: int) -> None:
    """Count rows against the rate of their caller. Raises `errors.RateLimited`."""
    if take := scope.get(TAKE_ROWS):
        take(rows)


def count_inputs(scope: Scope, inputs: PredictionInputs, models: int = 1) -> None:
    """Count the rows or images of a request, once for each of its models, as `count_rows` does."""
    if TAKE_ROWS in scope:
        count_rows(scope, len(inputs.rows or inputs.images) * models)
