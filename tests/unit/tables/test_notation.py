import pandas as pd
import pytest

from app.tables.dialect import Dialect
from app.tables.notation import Notation


@pytest.mark.parametrize(
    ("decimal", "thousands", "cell", "expected"),
    [
        (",", None, "1,5", "1.5"),
        (",", None, "-0,25", "-0.25"),
        (",", None, " +1,5e-3 ", "+1.5e-3"),
        (",", None, ",5", ".5"),
        (",", None, "12", "12"),
        (",", None, "1,5 EUR", "1,5 EUR"),
        (",", None, "1.234", "1,234"),
        (",", None, "1.234,56", "1,234.56"),
        (",", None, "1.5", "1.5"),
        (",", None, "31.12.2024", "31.12.2024"),
        (",", None, "", ""),
        (",", None, "-", "-"),
        (",", None, ",", ","),
        (",", None, "1,2,3", "1,2,3"),
        (",", ".", "1.234,56", "1234.56"),
        (",", ".", "-12.345.678", "-12345678"),
        (",", ".", "1234,5", "1234.5"),
        (",", ".", "12.34", "12.34"),
        (",", ".", "31.12.2024", "31.12.2024"),
        (",", " ", "1 234,5", "1234.5"),
        (",", " ", "1\u202f234\u00a0567", "1234567"),
        (",", " ", "1 2", "1 2"),
        (".", ",", "1,234.5", "1234.5"),
        (".", ",", "1,5", "1,5"),
        (".", "'", "1'234\u2019567.5", "1234567.5"),
    ],
)
def test_numbers_are_written_plainly_and_texts_stay(decimal, thousands, cell, expected):
    notation = Notation(Dialect(decimal=decimal, thousands=thousands))

    assert notation.plain_text(cell) == expected


def test_a_column_keeps_its_gaps_and_its_rows():
    cells = pd.Series(["1,5", None, "x", "1,5"], index=[3, 4, 5, 6], dtype="str")

    plain = Notation(Dialect(decimal=",")).plain(cells)

    pd.testing.assert_series_equal(
        plain, pd.Series(["1.5", None, "x", "1.5"], index=[3, 4, 5, 6], dtype="str")
    )
