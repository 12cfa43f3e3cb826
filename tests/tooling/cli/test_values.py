"""What is typed in a shell, and files of rows, as values."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from warren_cli.table_file import is_file_name, table_file
from warren_cli.typed_rows import CSV, JSON_LINES, rows_of
from warren_cli.values import names, nested, pair


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1.50", 1.5),
        ("a=true", True),
        ("a=null", None),
        ("a=[1, 2]", [1, 2]),
        ('a="1"', "1"),
        ("a=red", "red"),
        ("a=", ""),
        ("a=x=y", "x=y"),
        ("a=NaN", "NaN"),
        ("a=007", "007"),
        ("a=9007199254740993", 9007199254740993),
    ],
)
def test_a_value_is_json_or_a_text(text: str, value: Any) -> None:
    assert pair(text) == ("a", value)
    assert type(pair(text)[1]) is type(value)


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="NAME=VALUE"):
        pair(text)


def test_dots_are_objects() -> None:
    pairs = [("cv", 5), ("params.depth", 3), ("params.trees", 9), ("types.a", "text")]
    assert nested(pairs) == {
        "cv": 5,
        "params": {"depth": 3, "trees": 9},
        "types": {"a": "text"},
    }


@pytest.mark.parametrize(
    "pairs", [[("cv", 5), ("cv", 6)], [("cv", 5), ("cv.folds", 6)], [("cv.folds", 6), ("cv", 5)]]
)
def test_a_name_is_given_once(pairs: list[tuple[str, int]]) -> None:
    with pytest.raises(click.UsageError):
        nested(pairs)


def test_names_are_separated_by_commas() -> None:
    assert names("a, b,,c ") == ["a", "b", "c"]
    assert names('"a, b",c, "d,e"') == ["a, b", "c", "d,e"]
    assert names("") == []
    assert names(None) is None
    with pytest.raises(click.UsageError, match="is no line of names"):
        names("a\nb")


def test_rows_are_pairs_or_json() -> None:
    made = rows_of(["age=40", "colour=red"], pairs=True)
    assert (made.media_type, json.loads(made.body)) == (JSON_LINES, {"age": 40, "colour": "red"})
    assert rows_of(['[{"a": 1}, {"a": 2}]'], pairs=False).body == b'{"a": 1}\n{"a": 2}'


@pytest.mark.parametrize(
    ("name", "content", "media_type", "body"),
    [
        ("a.csv", "a,b\n1,2\n", CSV, "a,b\n1,2\n"),
        ("a.json", '{"a": 1.10}', JSON_LINES, '{"a": 1.1}'),
        ("a.json", '[\n{"a": 1},\n{"a": 2}]', JSON_LINES, '{"a": 1}\n{"a": 2}'),
        ("a.jsonl", '{"a": 1}\n{"a": 2}\n', JSON_LINES, '{"a": 1}\n{"a": 2}\n'),
        ("a.txt", '{"a": 1}\n{"a": 2}\n', JSON_LINES, '{"a": 1}\n{"a": 2}\n'),
        ("a.txt", '{"a": 1}\n', JSON_LINES, '{"a": 1}'),
        ("a", "a\n1\n", CSV, "a\n1\n"),
    ],
)
def test_a_file_of_rows_is_known_by_its_name_or_content(
    name: str, content: str, media_type: str, body: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    made = rows_of([str(tmp_path / name)], pairs=False)
    assert (made.media_type, made.body.decode()) == (media_type, body)


@pytest.mark.parametrize(
    "content", ["", " \n", "[]", "[1, 2]", '{"a": NaN}', '{"a": 1', '[{"a": 1}, 3]']
)
def test_a_file_without_rows_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(content)
    with pytest.raises(click.UsageError):
        rows_of([str(path)], pairs=False)


@pytest.mark.parametrize("given", [[], ["a.csv", "b.csv"], ["nowhere.csv"]])
def test_rows_are_one_file_that_is_there(given: list[str]) -> None:
    with pytest.raises(click.UsageError):
        rows_of(given, pairs=False)


def test_a_row_has_values() -> None:
    with pytest.raises(click.UsageError, match="--row"):
        rows_of([], pairs=True)


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (b"PAR1...", ".parquet"),
        (b"ARROW1\0\0", ".arrow"),
        (b"\x1f\x8b\x08", ".csv.gz"),
        (b"a,b\n1,2\n", ".csv"),
        (b"", ".csv"),
    ],
)
def test_stdin_becomes_a_file_with_the_suffix_of_its_content(
    content: bytes, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").write_bytes(content)
    with (tmp_path / "in").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with table_file("-") as path:
            assert path.name == f"stdin{suffix}"
            assert path.read_bytes() == content
    assert not path.exists()


def test_a_file_is_told_from_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses").touch()
    for name in ("-", "houses.csv", "./houses", "folder/houses", "houses", "houses.parquet"):
        assert is_file_name(name), name
    assert not is_file_name("diabetes")
