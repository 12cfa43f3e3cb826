import json
import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from app import errors
from app.inference.part_process import joined_results, score_part, split_table
from app.inference.runtime import Answers
from app.inference.table_layout import ScoredColumn, TableLayout
from app.jobs.outcomes import Interrupted, outcome_of
from tests.support.forked import child_processes

A = ScoredColumn(name="a", kind="number")
LAYOUT = TableLayout(features=[A], chosen=["id"])


def nothing():
    """Go on."""


def doubled(inputs):
    return Answers(2 * inputs["number"][:, 0], None)


def split(folder, text, layout=LAYOUT, beat=nothing):
    table = folder / "table"
    table.write_text(text)
    for number, part in enumerate(split_table(table, folder, layout, None, "d", beat)):
        kept = folder / f"part-{number}"
        part.path.rename(kept)
        kept.with_name(part.path.name).touch()
        yield kept, part.rows


def scored(folder, text, layout=LAYOUT, answer=doubled):
    """Return the joined file of a table, and the reports of its parts."""
    reports = []
    with joined_results(folder / "joined", layout) as add:
        for path, _ in split(folder, text, layout):
            reports.append(score_part(path, folder / "result", layout, answer, nothing))
            add(folder / "result")
    return folder / "joined", reports


def test_a_table_is_split_scored_and_joined(tmp_path):
    rows = 120_000
    text = "".join(["id,a\n", *(f"r{row},{row}\n" for row in range(rows))])

    path, reports = scored(tmp_path, text)

    assert [each["rows"] for each in reports] == [50_000, 50_000, 20_000]
    wanted = "".join(["id,prediction\n", *(f"r{row},{2.0 * row}\n" for row in range(rows))])
    assert path.read_text() == wanted


def test_the_same_is_joined_as_parquet(tmp_path):
    layout = LAYOUT.model_copy(update={"format": "parquet"})

    path, _ = scored(tmp_path, "id,a\nx,1\ny,2\n", layout)

    assert pq.read_table(path).to_pydict() == {"id": ["x", "y"], "prediction": [2.0, 4.0]}


def test_rows_without_an_answer_are_reported_by_their_place_in_the_part(tmp_path):
    def some(inputs):
        numbers = inputs["number"][:, 0]
        return Answers(np.where(numbers > 5000, np.nan, numbers), None)

    text = "".join(["id,a\n", *(f"r,{row}\n" for row in range(5003)), "r,\n", "r,x\n"])

    _, (report,) = scored(tmp_path, text, answer=some)

    assert (report["rows"], report["scored"]) == (5005, 5001)
    assert [(e["type"], e["count"], e["rows"]) for e in report["problems"]] == [
        ("no_answer", 2, [5002, 5003]),
        ("missing_value", 1, [5004]),
        ("wrong_value", 1, [5005]),
    ]


def test_a_part_without_any_row_to_score_asks_no_model(tmp_path):
    def asked(_):
        raise AssertionError

    _, (report,) = scored(tmp_path, "id,a\nr,x\n", answer=asked)

    assert (report["rows"], report["scored"]) == (1, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [("id,b\n1,2\n", "no column a"), ("id,a\n1,2\n1,2,3\n", "line 3 has 3 fields")],
)
def test_a_table_that_does_not_fit_is_refused_in_plain_words(tmp_path, text, said):
    with pytest.raises(errors.BadData, match=said):
        list(split(tmp_path, text))


def test_an_error_of_the_model_is_not_taken_for_one_of_the_table(tmp_path):
    def fails(_):
        raise errors.ModelOutOfMemory("the model needs more")

    (path, _) = next(iter(list(split(tmp_path, "id,a\nx,1\n"))))

    with pytest.raises(errors.ModelOutOfMemory):
        score_part(path, tmp_path / "result", LAYOUT, fails, nothing)


def test_the_work_ends_when_the_attempt_has_to(tmp_path):
    def lost():
        raise errors.Fenced

    text = "".join(["id,a\n", *(f"r,{row}\n" for row in range(60_000))])

    with pytest.raises(errors.Fenced):
        list(split(tmp_path, text, beat=lost))


def test_a_part_that_is_scored_again_has_the_same_bytes(tmp_path):
    frame = pd.DataFrame({"id": range(7000), "a": np.random.default_rng(0).normal(size=7000)})
    (path, _) = next(iter(list(split(tmp_path, frame.to_csv(index=False)))))
    sizes = []

    def noted(inputs):
        sizes.append(len(inputs["number"]))
        return doubled(inputs)

    found = []
    for name in ("first", "second"):
        report = score_part(path, tmp_path / name, LAYOUT, noted, nothing)
        found.append(((tmp_path / name).read_bytes(), json.dumps(report)))

    assert found[0] == found[1]
    assert sizes == [5000, 2000] * 2


@pytest.mark.parametrize(("lists", "field"), [("id", "columns"), ("a", "model_id")])
def test_a_column_without_cells_is_named_by_what_asks_for_it(tmp_path, lists, field):
    frame = pd.DataFrame({"id": ["x"], "a": [1.0]})
    frame[lists] = [[1]]
    frame.to_parquet(tmp_path / "table")

    with pytest.raises(errors.BadData, match=f'{field}: column "{lists}" holds list') as caught:
        next(split_table(tmp_path / "table", tmp_path, LAYOUT, None, "d", nothing))

    assert caught.value.extra["field"] == field


def test_a_full_disk_is_no_fault_of_the_table(tmp_path):
    ((part, _),) = split(tmp_path, "id,a\nx,1\n")

    with pytest.raises(errors.Unavailable, match="No space left"):
        score_part(part, Path("/dev/full"), LAYOUT, doubled, nothing)


def test_a_child_that_is_killed_from_outside_costs_the_job_no_failure(tmp_path):
    before = child_processes()
    parts = split(tmp_path, "id,a\n" + "x,1\n" * 60_000)
    next(parts)
    (child,) = child_processes() - before
    os.kill(child, signal.SIGKILL)

    with pytest.raises(errors.ModelKilled, match="killed by SIGKILL") as killed:
        next(parts)

    assert isinstance(outcome_of(killed.value), Interrupted)
