"""The first key of the local stack: made once, kept, replaced when it is not valid any more."""

import json
import re
import shlex
import stat

import pytest

from app.auth.key_ring import KeyRing
from app.database.engine import create_engine
from devstack.first_key import calls, first_key, kept_key
from devstack.layout import ROOT
from devstack.run_module import run_module


@pytest.fixture
def settings(sqlite_url):
    return {"HOST": "127.0.0.1", "AUTH": "on", "DATABASE_URL": sqlite_url}


def lets_in(settings, key):
    engine = create_engine(settings["DATABASE_URL"])
    ring = KeyRing(engine)
    ring.refresh()
    found = ring.identify(key.encode())
    engine.dispose()
    return found is not None


def test_it_is_made_once_and_only_its_owner_can_read_it(settings, tmp_path):
    key = first_key(settings, tmp_path)

    assert lets_in(settings, key)
    assert first_key(settings, tmp_path) == kept_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_revoked_one_is_replaced(settings, tmp_path):
    old = first_key(settings, tmp_path)
    run_module(settings, "app.cli", "keys", "revoke", old.split("_")[1])

    new = first_key(settings, tmp_path)

    assert lets_in(settings, new)
    assert not lets_in(settings, old)


@pytest.mark.parametrize(
    ("more", "made"), [({"AUTH": ""}, False), ({"AUTH": "off"}, False), ({"HOST": "::"}, True)]
)
def test_it_is_made_where_the_producer_asks_for_keys(settings, tmp_path, more, made):
    asked = {**settings, "AUTH": "", **more}
    assert (first_key(asked, tmp_path) is not None) is made
    assert (tmp_path / "key").exists() is made


def test_every_call_of_the_readme_can_be_pasted():
    api = "http://127.0.0.1:5001"
    readme = (ROOT / "README.md").read_text()

    words = shlex.split(calls(api, "K"), comments=True)

    starts = [number for number, word in enumerate(words) if word == "curl"]
    sent = [words[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert len(sent) == len(re.findall(r"(?m)(?:^|`)curl ", readme)) >= 6
    for each in sent:
        assert each[1:3] == ["-H", "X-API-Key: K"]
        assert any(word.startswith(f"{api}/") for word in each)
    assert "127.0.0.1:5000" not in str(sent)
    bodies = [json.loads(each[each.index("-d") + 1]) for each in sent if "-d" in each]
    assert [body["dataset_id"] for body in bodies] == ["diabetes"] * 3


def test_the_calls_of_an_encrypted_stack_name_its_authority(tmp_path):
    trusted = tmp_path / "a folder" / "ca.pem"
    words = shlex.split(calls("https://127.0.0.1:5001", None, trusted), comments=True)

    assert words[:3] == ["curl", "--cacert", str(trusted)]
    assert words.count("--cacert") == words.count("curl")
    assert not any("X-API-Key" in word for word in words)
