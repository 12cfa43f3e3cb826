"""The commands for keys, as an operator types them."""

import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.auth.key_ring import KeyRing
from app.cli.__main__ import main
from app.database.engine import create_engine
from app.database.tables import metadata

MADE = ["create", "--name", "n", "--scope", "all"]


class Operator:
    """Types commands against a database."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url

    def __call__(self, *arguments: str) -> Result:
        env = {"DATABASE_URL": self.url}
        return CliRunner().invoke(main, ["keys", *arguments], env=env, catch_exceptions=False)

    def audit(self, *arguments: str) -> list[str]:
        env = {"DATABASE_URL": self.url}
        told = CliRunner().invoke(main, ["audit", *arguments], env=env, catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.stdout.splitlines()

    def read(self, *arguments: str) -> Any:
        answer = self(*arguments, "--json")
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    def owner_of(self, text: str) -> str | None:
        """Return whom a producer takes for the sender of a key."""
        engine = create_engine(self.url)
        ring = KeyRing(engine)
        ring.refresh()
        found = ring.identify(text.strip().encode())
        engine.dispose()
        return found and found.owner


@pytest.fixture
def keys(database_url: str) -> Operator:
    return Operator(database_url)


def test_a_key_is_printed_alone_and_works(keys: Operator) -> None:
    made = keys("create", "--name", "nightly", "--owner", "team", "--scope", "train", "--days", "9")

    assert made.exit_code == 0
    assert keys.owner_of(made.stdout) == "team"
    assert made.stdout.count("\n") == 1
    assert "(nightly): owner team, scopes train, expires 20" in made.stderr
    assert "nobody can read it again" in made.stderr
    (row,) = keys.read("list")
    assert row["scopes"] == ["train"]
    assert made.stdout.strip() not in json.dumps(row)


def test_all_scopes_are_all(keys: Operator) -> None:
    assert keys("create", "--name", "first", "--scope", "all").exit_code == 0

    (row,) = keys.read("list")
    assert row["scopes"] == [
        "predict",
        "train",
        "long",
        "data",
        "models",
        "jobs",
        "metrics",
        "admin",
    ]
    assert (row["owner"], row["expires_at"]) == ("default", None)
    listed = keys("list").stdout.splitlines()
    assert listed[0].split() == [
        "id",
        "name",
        "owner",
        "state",
        "expires",
        "last",
        "used",
        "scopes",
        "limits",
    ]
    assert listed[1].split() == [row["id"], "first", "default", "valid", "-", "-", "all", "-"]


def test_a_key_has_the_limits_that_it_was_made_with(keys: Operator) -> None:
    limits = ("--max-requests", "0.5", "--max-rows", "1000", "--max-queued", "20")
    told = "max_requests 0.5, max_rows 1000, max_queued 20"

    made = keys("create", "--name", "n", "--scope", "predict", *limits)

    assert f"scopes predict, {told}, never expires" in made.stderr
    (row,) = keys.read("list")
    assert (row["max_requests"], row["max_rows"], row["max_queued"]) == (0.5, 1000, 20)
    assert keys("list").stdout.endswith(f" {told}\n")
    new = keys.read("rotate", row["id"])
    assert (new["max_requests"], new["max_rows"], new["max_queued"]) == (0.5, 1000, 20)
    (line,) = keys.audit("--action", "create", "--kind", "key")
    assert line.endswith(f"owner default, scopes predict, {told}")


def test_a_revoked_key_is_refused(keys: Operator) -> None:
    made = keys.read("create", "--name", "n", "--scope", "predict", "--scope", "jobs")

    answer = keys("revoke", made["id"])

    assert answer.stdout == (
        f"{made['id']} is revoked; every producer refuses it within 2 seconds\n"
    )
    assert keys.owner_of(made["key"]) is None
    assert "revoked" in keys("list").stdout


def test_both_keys_of_a_rotation_work(keys: Operator) -> None:
    old = keys.read("create", "--name", "n", "--scope", "predict")

    new = keys.read("rotate", old["id"])

    assert new["rotates"] == old["id"]
    assert keys.owner_of(old["key"]) == keys.owner_of(new["key"]) == "default"
    last = keys.read("rotate", new["id"], "--overlap", "0")
    assert [keys.owner_of(each["key"]) for each in (new, last)] == [None, "default"]
    assert "expired" in keys("list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "--name", "n"], "Missing option '--scope'"),
        (["create", "--name", "n", "--scope", "dance"], "'dance' is not one of 'predict'"),
        (["create", "--name", "", "--scope", "all"], "--name: use 1 to 100 characters on one line"),
        (["create", "--name", "a\nb", "--scope", "all"], "--name: use 1 to 100 characters"),
        (["create", "--name", "n", "--owner", "A~b", "--scope", "all"], "--owner: use lower-case"),
        (["create", "--name", "n", "--scope", "all", "--days", "0"], "0.0 is not in the range"),
        ([*MADE, "--max-requests", "0"], "0.0 is not in the range 0.0001<=x<=1000000"),
        ([*MADE, "--max-rows", "nan"], "'--max-rows': nan is no number"),
        ([*MADE, "--max-queued", "0"], "0 is not in the range 1<=x<=1000000000"),
        (["revoke", "nothing\x1b[2J"], 'key_id: there is no key "nothing\\u001b[2J"'),
        (["rotate", "nothing"], 'key_id: there is no key "nothing"'),
    ],
)
def test_a_mistake_is_told_in_a_sentence(keys: Operator, arguments: list[str], says: str) -> None:
    answer = keys(*arguments)

    assert answer.exit_code in (1, 2)
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_without_the_tables_it_says_so(database_url: str) -> None:
    engine = create_engine(database_url)
    metadata.drop_all(engine)
    engine.dispose()

    answer = Operator(database_url)("list")

    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: the database cannot be used: ")


@pytest.mark.parametrize(
    "arguments",
    [["keys", "list"], ["keys", "create", "--name", "a", "--scope", "all"], ["audit"]],
    ids=" ".join,
)
def test_outside_of_a_checkout_it_names_the_setting_and_makes_no_file(
    tmp_path: Path, arguments: list[str]
) -> None:
    with chdir(tmp_path):
        told = CliRunner().invoke(main, arguments, env={"DATABASE_URL": None})
        told_url = CliRunner().invoke(main, arguments, env={"DATABASE_URL": "sqlite:///no.db"})
    assert told.exit_code == 1
    assert f"there is no file {tmp_path}/warren.db; it is the default" in told.stderr
    assert "DATABASE_URL is not set" in told.stderr
    assert f"there is no file {tmp_path}/no.db; DATABASE_URL names it" in told_url.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_database(tmp_path: Path) -> None:
    with chdir(tmp_path):
        told = CliRunner().invoke(main, ["keys", "create", "--help"], env={"DATABASE_URL": None})
    assert told.exit_code == 0


def test_each_change_of_keys_is_in_the_audit_log(keys: Operator) -> None:
    first = keys.read("create", "--name", "a", "--owner", "red", "--scope", "train")
    second = keys.read("rotate", first["id"])
    keys("revoke", second["id"])

    rows = keys.audit("--json")
    assert [(each["action"], each["name"]) for each in map(json.loads, rows)] == [
        ("revoke", second["id"]),
        ("rotate", first["id"]),
        ("create", first["id"]),
    ]
    assert all(json.loads(each)["actor"].startswith("command ") for each in rows)
    assert not any(made["key"] in each for each in rows for made in (first, second))
    (line,) = keys.audit("--action", "create", "--since", "2020-01-01", "--kind", "key")
    assert line.endswith("done   owner red, scopes train")
    assert keys.audit("--until", "2020-01-01") == []
    assert keys.audit("--owner", "red") == []  # an operator acts for the owner `default`


@pytest.mark.parametrize("hours", ["nan", "inf", "-inf", "-1", "1e9", "x"])
def test_an_overlap_that_is_no_time_is_a_usage_error(keys: Operator, hours: str) -> None:
    made = keys.read("create", "--name", "a", "--scope", "train")

    refused = keys("rotate", made["id"], f"--overlap={hours}")
    never = keys("create", "--name", "b", "--scope", "train", f"--days={hours}")

    assert (refused.exit_code, never.exit_code) == (2, 2)
    assert "'--overlap'" in refused.stderr
    assert [each["id"] for each in keys.read("list")] == [made["id"]]
