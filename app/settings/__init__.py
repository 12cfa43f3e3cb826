"""Settings: the only reader of the environment. Mains build one `Settings` and pass it down."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from annotated_types import Unit
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.settings.limits import Bytes, LimitSettings, Seconds

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/\s*A-Z]+")
# Segments of letters, digits and `._~-`. None begins with a dot, so that none is `..`.
PATH_PREFIX = r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"

Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(text: str) -> Networks:
    """Parse addresses and networks that commas separate; `*` alone is every address.

    Raises `ValueError`, which names the wrong one.
    """
    names = ["0.0.0.0/0", "::/0"] if text.strip() == "*" else text.split(",")
    return tuple(ip_network(name.strip(), strict=False) for name in names if name.strip())


def _check_networks(text: str) -> str:
    networks(text)
    return text


def _check_origins(origins: str) -> str:
    for each in filter(None, map(str.strip, origins.split(","))):
        if not _ORIGIN.fullmatch(each):
            raise ValueError(
                f"{each} is no origin; write https://app.example.com, in lower case and "
                "without a path or slash behind it, or * for all"
            )
    return origins


class Settings(LimitSettings):
    """Read each field from the environment variable of its name, else from `.run/env`.

    `make up` writes `.run/env`, so that a consumer started by hand finds the local stack.
    `make docs` renders the descriptions as docs/settings.md.
    """

    model_config = SettingsConfigDict(
        env_file=".run/env", extra="ignore", frozen=True, env_nested_delimiter="__"
    )

    host: str = Field("127.0.0.1", description="The address that the producer listens on.")
    port: int = Field(5000, description="The port that the producer listens on.")
    log_level: str = Field(
        "INFO", description="The lowest level that is logged: `DEBUG`, `INFO`, `WARNING`, `ERROR`."
    )
    cors_origins: Annotated[str, AfterValidator(_check_origins)] = Field(
        "",
        description="The origins whose pages may call the producer from a browser (CORS), as "
        "`https://app.example.com` or `*` for all, separated by commas.",
    )

    keep_alive_seconds: Annotated[int, Unit("seconds")] = Field(
        75,
        ge=1,
        description="How long an idle HTTP connection stays open. It must be longer than a proxy "
        "keeps it (60 seconds in nginx and AWS), or the proxy sometimes answers 502.",
    )
    root_path: str = Field(
        "",
        pattern=PATH_PREFIX,
        description="The path below which a proxy serves Warren, such as `/warren`. The proxy may "
        "remove it from the paths that it forwards, or leave it there.",
    )
    forwarded_allow_ips: Annotated[str, AfterValidator(_check_networks)] = Field(
        "127.0.0.1",
        description="The proxies whose `X-Forwarded-For`, `-Host`, `-Prefix` and `-Proto` count: "
        "addresses and networks, separated by commas; `*` means all.",
    )

    rabbitmq_host: str = Field("127.0.0.1", description="The broker's host.")
    rabbitmq_port: int = Field(5672, description="The broker's AMQP port.")
    rabbitmq_user: str = Field("guest", description="The broker's user.")
    rabbitmq_password: SecretStr = Field(
        SecretStr("guest"), description="The password of the broker's user."
    )
    rabbitmq_vhost: str = Field("/", description="The broker's virtual host.")
    rabbitmq_heartbeat: Annotated[int, Unit("seconds")] = Field(
        10,
        ge=1,  # because 0 turns off the detection of dead peers
        description="The heartbeat interval. A vanished peer is noticed after two intervals.",
    )

    database_url: SecretStr = Field(
        SecretStr("sqlite:///warren.db"),
        description="The database of the job table: SQLite, or "
        "`postgresql+psycopg://user:password@host/name`.",
    )

    s3_bucket_name: str = Field("warren", description="The bucket. It must exist.")
    s3_path_name: str = Field("data/", description="The key prefix of data sets.")
    s3_model_path_name: str = Field("models/", description="The key prefix of models.")
    aws_endpoint_url: str | None = Field(
        None, description="The address of an S3 server other than that of AWS."
    )
    aws_default_region: str = Field("us-east-1", description="The region of the bucket.")
    aws_access_key_id: str | None = Field(
        None, description="The access key. Without it, boto3 looks for credentials as usual."
    )
    aws_secret_access_key: SecretStr | None = Field(
        None, description="The secret key of `AWS_ACCESS_KEY_ID`."
    )

    predict_prefetch: Annotated[int, Unit("messages")] = Field(
        128, ge=1, description="How many messages each prediction thread takes from the broker."
    )
    model_cache: Bytes = Field(
        512_000_000, description="The memory of all models that a consumer keeps loaded."
    )
    drain_seconds: Seconds = Field(
        30.0, description="How long a consumer may finish its work after SIGTERM."
    )

    health_file: str | None = Field(
        None,
        description="A file that the consumer touches twice a second while it serves all its "
        "connections to the broker, for a health check.",
    )

    invoke_hosts: str = Field(
        "",
        description="The hosts whose endpoints may be registered and called, as `host` or "
        "`host:port`, separated by commas.",
    )
    invoke_secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="A secret that an endpoint may name. Only consumers need it.",
    )
