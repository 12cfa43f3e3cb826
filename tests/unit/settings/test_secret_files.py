"""Secrets in files: each secret setting, no other, in one of two ways."""

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url

from app.settings import Settings
from app.settings.secret_files import SecretFileError, is_secret

SECRET = "hunter2"
SECRETS = [name for name, field in Settings.model_fields.items() if is_secret(field)]


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No setting but those of the test."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


def test_the_secret_settings_are_these():
    assert {*SECRETS} >= {
        *("rabbitmq_password", "database_url", "aws_secret_access_key", "invoke_secrets")
    }


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("place", ["environment", ".run/env"])
def test_each_secret_may_be_in_a_file(monkeypatch, tmp_path, name, end, place):
    of_mapping = Settings.model_fields[name].annotation == dict[str, SecretStr]
    path = tmp_path / "secret"
    path.write_bytes(f"{SECRET}{end}".encode())
    if name == "database_password":
        monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://user@host/name")
    variable = f"{name}{'__X' * of_mapping}_FILE".upper()
    if place == "environment":
        monkeypatch.setenv(variable, str(path))
    else:
        (tmp_path / ".run").mkdir()
        (tmp_path / ".run" / "env").write_text(f"{variable}={path}\n")

    found = getattr(Settings(), name)

    assert (found["x"] if of_mapping else found).get_secret_value() == SECRET


def test_a_mapping_may_be_in_one_file_and_its_members_in_several(monkeypatch, tmp_path, file):
    (tmp_path / "all").write_text('{"a": "1", "b": "2"}')
    monkeypatch.setenv("INVOKE_SECRETS_FILE", str(tmp_path / "all"))
    monkeypatch.setenv("INVOKE_SECRETS__C_FILE", str(file))
    monkeypatch.setenv("INVOKE_SECRETS__D", "4")

    read = {name: each.get_secret_value() for name, each in Settings().invoke_secrets.items()}

    assert read == {"a": "1", "b": "2", "c": SECRET, "d": "4"}


@pytest.mark.parametrize("name", ["RABBITMQ_PASSWORD", "DATABASE_URL", "INVOKE_SECRETS__X"])
def test_a_secret_that_is_given_in_both_ways_is_refused_by_both_names(monkeypatch, file, name):
    monkeypatch.setenv(name, "other")
    monkeypatch.setenv(f"{name}_FILE", str(file))

    with pytest.raises(SecretFileError, match=f"^{name} and {name}_FILE: give one of the two$"):
        Settings()


def test_a_file_of_the_environment_goes_before_the_secret_of_the_local_stack(
    monkeypatch, tmp_path, file
):
    (tmp_path / ".run").mkdir()
    (tmp_path / ".run" / "env").write_text("RABBITMQ_PASSWORD=other\n")
    monkeypatch.setenv("RABBITMQ_PASSWORD_FILE", str(file))

    assert Settings().rabbitmq_password.get_secret_value() == SECRET


def test_an_empty_variable_is_not_given(monkeypatch, file):
    monkeypatch.setenv("RABBITMQ_PASSWORD", "")
    monkeypatch.setenv("RABBITMQ_PASSWORD_FILE", str(file))
    monkeypatch.setenv("DATABASE_URL_FILE", "")

    assert Settings().rabbitmq_password.get_secret_value() == SECRET
    assert Settings().database_url.get_secret_value() == "sqlite:///warren.db"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b"\xffhunter2", "it is not UTF-8"),
    ],
)
def test_a_file_that_has_no_secret_is_named_with_its_setting(monkeypatch, tmp_path, content, why):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(path))

    with pytest.raises(SecretFileError) as caught:
        Settings()

    assert str(caught.value) == f"AWS_SECRET_ACCESS_KEY_FILE: {path} cannot be read: {why}"


def test_what_is_no_secret_is_in_no_file(monkeypatch, file):
    monkeypatch.setenv("S3_BUCKET_NAME_FILE", str(file))
    monkeypatch.setenv("PORT_FILE", str(file))

    assert (Settings().s3_bucket_name, Settings().port) == ("warren", 5000)


@pytest.mark.parametrize(
    ("name", "value"),
    [("INVOKE_SECRETS__A__B", SECRET), ("INVOKE_SECRETS", f'{{"a": ["{SECRET}"]}}')],
)
def test_a_setting_that_is_refused_is_not_shown(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match="invoke_secrets") as caught:
        Settings()

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", ["hush", "a@b:c/d?e#f%20 ü"])
def test_the_password_of_the_database_may_be_beside_its_url(monkeypatch, tmp_path, secret):
    (tmp_path / "password").write_text(f"{secret}\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://warren@postgres:5432/warren?a=b@c")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))

    url = make_url(Settings().database_address)

    assert (url.username, url.password, url.host, url.port) == ("warren", secret, "postgres", 5432)
    assert (url.database, url.query) == ("warren", {"a": "b@c"})
    assert secret not in repr(Settings())


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///warren.db",
        "sqlite:////a@b/c.db",
        "postgresql://u:p@h/n",
        "postgresql://h/n",
        "postgresql://@h/n",
    ],
)
def test_a_password_goes_only_with_a_url_of_a_user_without_one(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)

    with pytest.raises(ValidationError, match="names a user and no password") as refused:
        Settings()

    assert SECRET not in str(refused.value)
