import pytest
from pydantic import ValidationError

from app.amqp.connection import connection_parameters
from app.settings import Settings
from app.settings.checks import networks
from app.settings.refused import wrong_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No setting but those of the test."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_defaults_are_those_of_the_design():
    settings = Settings()

    assert settings.port == 5000
    assert (settings.root_path, settings.forwarded_allow_ips) == ("", "127.0.0.1")
    assert settings.keep_alive_seconds == 75
    assert settings.train_wait == 1.0
    assert settings.max_body == 4_000_000
    assert (settings.max_in_flight, settings.max_in_flight_bytes) == (4096, 32_000_000)
    assert settings.predict_prefetch == 128
    assert settings.max_attempts == 4
    assert settings.lease_seconds == 15
    assert (settings.fit_seconds, settings.fit_memory) == (36_000, 4_000_000_000)
    assert settings.database_url.get_secret_value().startswith("sqlite:///")


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("S3_BUCKET_NAME", "mine", "mine"),
        ("S3_PATH_NAME", "in/", "in/"),
        ("S3_MODEL_PATH_NAME", "out/", "out/"),
        ("RABBITMQ_HOST", "rabbit", "rabbit"),
        ("RABBITMQ_PORT", "5673", 5673),
    ],
)
def test_the_names_of_the_seed_are_read_from_the_environment(monkeypatch, name, value, read):
    monkeypatch.setenv(name, value)

    assert getattr(Settings(), name.lower()) == read


def test_the_file_of_the_local_stack_is_read_where_the_environment_says_nothing(
    monkeypatch, tmp_path
):
    (tmp_path / ".run").mkdir()
    (tmp_path / ".run" / "env").write_text("PORT=6000\nHOST=0.0.0.0\nOF_TOMORROW=1\n")
    monkeypatch.setenv("HOST", "::1")

    assert Settings().port == 6000
    assert Settings().host == "::1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("RABBITMQ_PORT", "0"),
        ("RABBITMQ_MANAGEMENT_PORT", "65536"),
        ("LOG_LEVEL", "loud"),
        ("LOG_LEVEL", ""),
        ("MODEL_CACHE", "-1"),
        ("DRAIN_SECONDS", "-1"),
        ("MAX_DATASET", "0"),
        ("AUTH", "yes"),
        ("ROOT_PATH", "warren"),
        ("ROOT_PATH", "//warren"),
        ("ROOT_PATH", "/a/../b"),
        ("ROOT_PATH", "https://a/b"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.300"),
        ("FORWARDED_ALLOW_IPS", "127.0.0.1, proxy"),
        ("FORWARDED_ALLOW_IPS", "10.*"),
        ("KEEP_ALIVE_SECONDS", "0"),
        ("RABBITMQ_HEARTBEAT", "0"),
        ("TRAIN_WAIT", "0"),
        ("PREDICT_TIMEOUT", "-1"),
        ("PREDICT_PREFETCH", "0"),
        ("MAX_BODY", "4000001"),
        ("MAX_IN_FLIGHT", "0"),
        ("MAX_IN_FLIGHT_BYTES", "3999999"),
        ("MAX_ATTEMPTS", "0"),
        ("LEASE_SECONDS", "4"),
        ("FIT_SECONDS", "0"),
        ("FIT_SECONDS", "86400"),
        ("FIT_MEMORY", "1000000"),
        ("ALLOWED_HOSTS", "warren.example.com:5000"),
        ("ALLOWED_HOSTS", "localhost, https://warren.example.com"),
        ("ALLOWED_HOSTS", "a.*.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://app.example.com/page"),
        ("CORS_ORIGINS", "https://App.example.com"),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "*, app.example.com"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("LOG_LEVEL", "loud", "loud is no level; use one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("ROOT_PATH", "warren", "warren is no path; write /warren, in letters, "),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(monkeypatch, name, value, line):
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError) as caught:
        Settings()

    [told] = wrong_settings(caught.value)
    assert told.startswith(f"{name}: {line}")


def test_a_level_of_logging_may_be_in_small_letters(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "debug")

    assert Settings().log_level == "DEBUG"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", []),
        ("127.0.0.1, ::1", ["127.0.0.1/32", "::1/128"]),
        ("10.1.2.3/8,", ["10.0.0.0/8"]),
        (" * ", ["0.0.0.0/0", "::/0"]),
    ],
)
def test_networks_are_separated_by_commas(text, read):
    assert [str(each) for each in networks(text)] == read


def test_no_secret_is_shown():
    settings = Settings(
        rabbitmq_password="hunter2",
        aws_secret_access_key="hunter2",
        database_url="postgresql://warren:hunter2@db/warren",
    )

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.model_dump())


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_a_connection_has_the_settings_and_a_name():
    settings = Settings(
        rabbitmq_host="rabbit",
        rabbitmq_port=5673,
        rabbitmq_user="me",
        rabbitmq_password="hunter2",
        rabbitmq_vhost="mine",
        rabbitmq_heartbeat=7,
    )

    parameters = connection_parameters(settings, "a name")

    assert (parameters.host, parameters.port, parameters.virtual_host) == ("rabbit", 5673, "mine")
    assert (parameters.credentials.username, parameters.credentials.password) == ("me", "hunter2")
    assert parameters.heartbeat == 7
    assert parameters.client_properties["connection_name"] == "a name"
    assert 0 < parameters.blocked_connection_timeout < 600


@pytest.mark.parametrize(
    "origins", ["", "*", " https://a.example.com , http://localhost:3000,", "http://[::1]:8080"]
)
def test_origins_are_those_that_browsers_send(monkeypatch, origins):
    monkeypatch.setenv("CORS_ORIGINS", origins)

    assert Settings().cors_origins == origins


@pytest.mark.parametrize(
    "hosts", ["", "*", " warren.example.com , *.example.org,", "192.0.2.7, 2001:db8::1, my_host"]
)
def test_hosts_are_those_that_clients_name(monkeypatch, hosts):
    monkeypatch.setenv("ALLOWED_HOSTS", hosts.upper())

    assert Settings().allowed_hosts == hosts


@pytest.mark.parametrize(
    ("auth", "host", "needed"),
    [
        ("", "127.0.0.1", False),
        ("", "127.8.8.8", False),
        ("", "::1", False),
        ("", "localhost", False),
        ("", "0.0.0.0", True),
        ("", "::", True),
        ("", "192.168.1.5", True),
        ("", "warren.example.com", True),
        ("", "localhost.example.com", True),
        ("", "", True),
        ("on", "127.0.0.1", True),
        ("off", "0.0.0.0", False),
    ],
)
def test_keys_are_needed_unless_only_this_machine_is_served(auth, host, needed):
    assert Settings(auth=auth, host=host).authenticates is needed


@pytest.mark.parametrize("process", ["producer", "consumer", "tools"])
def test_a_process_logs_in_as_its_own_user_if_it_has_one(process):
    all_ = Settings(rabbitmq_user="all", rabbitmq_password="a")
    own = {f"rabbitmq_{process}_user": "own", f"rabbitmq_{process}_password": "o"}

    mine = Settings(rabbitmq_user="all", rabbitmq_password="a", **own).acting_as(process)

    assert (mine.rabbitmq_user, mine.rabbitmq_password.get_secret_value()) == ("own", "o")
    assert all_.acting_as(process) is all_


def test_a_user_of_a_process_needs_a_password():
    with pytest.raises(ValidationError, match="set RABBITMQ_PRODUCER_PASSWORD, too"):
        Settings(rabbitmq_producer_user="own")
    with pytest.raises(ValidationError, match="set RABBITMQ_TOOLS_PASSWORD, too"):
        Settings(rabbitmq_tools_user="own", rabbitmq_tools_password="")
    unset = Settings(rabbitmq_producer_user="", rabbitmq_user="all")  # as an empty variable is
    assert unset.acting_as("producer") is unset


@pytest.mark.parametrize(
    ("issuer", "audience", "said"),
    [
        ("http://login.example.com", "warren", "an issuer begins with https://"),
        ("login.example.com", "warren", "an issuer begins with https://"),
        ("http://localhost.example.com", "warren", "an issuer begins with https://"),
        ("https://login.example.com", "", "OIDC_ISSUER needs OIDC_AUDIENCE"),
    ],
)
def test_an_identity_provider_is_named_completely(issuer, audience, said):
    with pytest.raises(ValidationError, match=said):
        Settings(oidc_issuer=issuer, oidc_audience=audience)


@pytest.mark.parametrize("issuer", ["", "https://login.example.com/realms/a", "http://[::1]:80"])
def test_an_issuer_is_https_or_of_this_machine(issuer):
    assert Settings(oidc_issuer=issuer, oidc_audience="warren").oidc_issuer == issuer
