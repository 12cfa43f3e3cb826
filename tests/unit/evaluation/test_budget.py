import numpy as np
import pytest

from app.evaluation.budget import LEAST_SECONDS, Budget
from app.inference.runtime import Answers


class Model:
    """Takes so many seconds for a run and for each row, by a clock of its own."""

    def __init__(self, run_seconds=0.0, row_seconds=0.0):
        self.now = 0.0
        self.runs = []
        self._run_seconds, self._row_seconds = run_seconds, row_seconds

    def clock(self):
        return self.now

    def run(self, inputs):
        rows = len(inputs["number"])
        self.runs.append(rows)
        self.now += self._run_seconds + rows * self._row_seconds
        return Answers(inputs["number"][:, 0], None)


def rows(count, value=0.0):
    return {"number": np.full((count, 3), value)}


@pytest.mark.parametrize(("fit", "seconds"), [(0.0, LEAST_SECONDS), (1.0, 0.2), (100.0, 10.0)])
def test_it_is_a_tenth_of_the_fit_and_short_fits_have_a_little_more(fit, seconds):
    assert Budget(fit, Model().clock).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("row_seconds", "expected"),
    [(0.0, 10_000), (0.001, 399), (1.0, 100)],  # of 50 s, a tenth of a second is the trial
)
def test_the_rows_are_as_many_as_there_is_time_for(row_seconds, expected):
    model = Model(row_seconds=row_seconds)
    budget = Budget(500.0, model.clock)

    assert budget.affordable_rows(model.run, rows(50_000), 100, 10_000) == expected
    assert model.runs == [100]


def test_a_small_sample_is_taken_whole():
    model = Model(row_seconds=10.0)

    assert Budget(1.0, model.clock).affordable_rows(model.run, rows(30), 100, 10_000) == 30


def test_few_rows_are_answered_together_and_each_variant_gets_its_own():
    model = Model()
    variants = [rows(100, value) for value in range(50)]

    found = list(Budget(1.0, model.clock).answers(model.run, variants))

    assert model.runs == [100, 2000, 2000, 900]
    assert [set(each.predicted) for each in found] == [{value} for value in range(50)]


def test_many_columns_are_answered_alone():
    model, wide = Model(), {"number": np.zeros((10, 250_000))}

    assert len(list(Budget(1.0, model.clock).answers(model.run, [wide, wide]))) == 2
    assert model.runs == [10, 10]


@pytest.mark.parametrize(("run_seconds", "answered"), [(0.05, 3), (0.07, 2), (0.15, 1), (1.0, 1)])
def test_no_run_begins_that_would_probably_end_too_late(run_seconds, answered):
    model = Model(run_seconds)
    budget = Budget(2.0 * (1 + 1e-9), model.clock)

    found = list(budget.answers(model.run, [rows(2000) for _ in range(9)]))

    assert len(found) == answered
    assert model.now <= max(budget.seconds, run_seconds)


def test_the_variants_of_a_run_are_as_many_as_would_end_in_time():
    model = Model(row_seconds=0.001)
    budget = Budget(10.0, model.clock)  # 1 s, and 0.1 s for each variant

    assert len(list(budget.answers(model.run, [rows(100) for _ in range(50)]))) in (9, 10)
    assert model.now < 1.01


def test_nothing_is_answered_where_nothing_is_asked():
    assert list(Budget(1.0, Model().clock).answers(Model().run, [])) == []
