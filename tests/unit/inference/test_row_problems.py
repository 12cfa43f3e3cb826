import numpy as np

from app.inference.row_problems import FIRST_ROWS, MAX_PROBLEMS, RowProblems


def rows(*numbers):
    return np.array(numbers)


def test_rows_are_counted_by_problem_and_column():
    problems = RowProblems()
    problems.add("missing_value", "a", rows(1, 2), "first")
    problems.add("missing_value", "a", rows(5), "second")
    problems.add("missing_value", "b", rows(3), "third")
    problems.add("no_answer", None, rows(), "nothing")

    assert problems.report() == [
        {"type": "missing_value", "column": "a", "count": 3, "detail": "first", "rows": [1, 2, 5]},
        {"type": "missing_value", "column": "b", "count": 1, "detail": "third", "rows": [3]},
    ]


def test_a_report_is_bounded():
    problems = RowProblems()
    for number in range(MAX_PROBLEMS + 5):
        problems.add("wrong_value", f"c{number}", np.arange(1, 100), "said")

    report = problems.report()
    assert len(report) == MAX_PROBLEMS
    assert report[0]["count"] == 99
    assert report[0]["rows"] == list(range(1, FIRST_ROWS + 1))


def test_reports_of_parts_are_put_together():
    first, second, both = RowProblems(), RowProblems(), RowProblems()
    first.add("no_answer", None, rows(2), "said")
    second.add("no_answer", None, rows(7, 8), "said")

    for each in (first, second):
        both.merge(each.report())

    assert both.report() == [
        {"type": "no_answer", "column": None, "count": 3, "detail": "said", "rows": [2, 7, 8]}
    ]
    assert first.report()[0]["count"] == 1


def test_counts_are_whole_when_many_columns_have_a_problem():
    first, second, both = RowProblems(), RowProblems(), RowProblems()
    for number in range(MAX_PROBLEMS + 1):
        first.add("missing_value", f"c{number}", rows(*range(1, 4)), "said")
        second.add(
            "missing_value", f"c{MAX_PROBLEMS - number}", rows(*range(4, 4 + number)), "said"
        )

    for each in (first, second):
        both.merge(each.report(None))

    counts = {each["column"]: each["count"] for each in both.report(None)}
    assert counts == {f"c{n}": 3 + MAX_PROBLEMS - n for n in range(MAX_PROBLEMS + 1)}
