"""Settings: the only reader of the environment. Mains build one `Settings` and pass it down."""

from typing import Annotated, Any, Literal, Self

from annotated_types import Unit
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from app.settings.broker import BrokerSettings
from app.settings.broker import Process as Process
from app.settings.checks import (
    check_hosts,
    check_networks,
    check_origins,
    check_path_prefix,
    is_loopback,
)
from app.settings.limits import Bytes, Seconds
from app.settings.observability import ObservabilitySettings
from app.settings.openid import OpenIdSettings
from app.settings.secret_files import read_secret_files, with_password


class Settings(OpenIdSettings, ObservabilitySettings, BrokerSettings):
    """Read each field from the environment variable of its name, else from `.run/env`.

    A secret may also be in the file that the variable NAME_FILE names. Raises `ValidationError`
    or `SecretFileError`, neither of which shows a value.

    `make up` writes `.run/env`, so that a consumer started by hand finds the local stack.
    `make docs` renders the descriptions as docs/settings.md.
    """

    model_config = SettingsConfigDict(
        env_file=".run/env",
        extra="ignore",
        frozen=True,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="The address that the producer listens on.")
    port: int = Field(
        5000,
        ge=0,
        le=65_535,
        description="The port that the producer listens on; 0 is any that is free.",
    )
    auth: Literal["on", "off", ""] = Field(
        "",
        description="Whether requests need a key: `on` or `off`. Without a value it is off while "
        "`HOST` is a loopback address, and on otherwise. The producer does not start with `on` "
        "before there is a key; `python -m app.cli keys create` makes one.",
    )
    allowed_hosts: Annotated[str, AfterValidator(check_hosts)] = Field(
        "",
        description="The hosts that requests may name in `Host`, with any port: "
        "`warren.example.com`, `*.example.com` for all below it, or `*` for all, separated by "
        "commas. The loopback names, and the address `HOST`, always may; if that is `0.0.0.0` or "
        "`::`, so may every IP address. Others get a 421, except at `/health`, `/ping` and below "
        "`/v2/health/`.",
    )
    cors_origins: Annotated[str, AfterValidator(check_origins)] = Field(
        "",
        description="The origins whose pages may call the producer from a browser (CORS), as "
        "`https://app.example.com` or `*` for all, separated by commas. Calls of other pages that "
        "would change something get a 403.",
    )

    keep_alive_seconds: Annotated[int, Unit("seconds")] = Field(
        75,
        ge=1,
        description="How long an idle HTTP connection stays open. It must be longer than a proxy "
        "keeps it (60 seconds in nginx and AWS), or the proxy sometimes answers 502.",
    )
    root_path: Annotated[str, AfterValidator(check_path_prefix)] = Field(
        "",
        description="The path below which a proxy serves Warren, such as `/warren`. The proxy may "
        "remove it from the paths that it forwards, or leave it there.",
    )
    forwarded_allow_ips: Annotated[str, AfterValidator(check_networks)] = Field(
        "127.0.0.1",
        description="The proxies whose `X-Forwarded-For`, `-Host`, `-Prefix` and `-Proto` count: "
        "addresses and networks, separated by commas; `*` means all.",
    )

    database_url: SecretStr = Field(
        SecretStr("sqlite:///warren.db"),
        description="The database of the job table: SQLite, or "
        "`postgresql+psycopg://user:password@host/name`.",
    )

    database_password: SecretStr | None = Field(
        None, description="The password of the user that `DATABASE_URL` names without one."
    )

    s3_bucket_name: str = Field("warren", description="The bucket. It must exist.")
    s3_path_name: str = Field("data/", description="The key prefix of data sets.")
    s3_model_path_name: str = Field("models/", description="The key prefix of models.")
    s3_batch_path_name: str = Field(
        "batches/", description="The key prefix of the files of batch jobs."
    )
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
        512_000_000, ge=0, description="The memory of all models that a consumer keeps loaded."
    )
    model_memory: Annotated[int | None, Unit("bytes")] = Field(
        None,
        ge=1_000_000_000,
        description="The memory that loads and runs of models may take together in a consumer, "
        "beside `MODEL_CACHE`. Without a value it is a quarter of the memory of the machine or "
        "container, at least 1 GB.",
    )
    drain_seconds: Seconds = Field(
        30.0, ge=0, description="How long a consumer may finish its work after SIGTERM."
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

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:
        """Return where values come from, the first one first."""
        files = ("env_settings", "dotenv_settings")
        return (sources["init_settings"], *(read_secret_files(sources[each]) for each in files))

    @property
    def authenticates(self) -> bool:
        """Whether requests need a key."""
        return self.auth == "on" or (not self.auth and not is_loopback(self.host))

    @property
    def authenticates_scrapes(self) -> bool:
        """Whether the metrics of a consumer need a key."""
        return self.auth == "on" or (not self.auth and not is_loopback(self.metrics_host))

    @model_validator(mode="after")
    def _check_database(self) -> Self:
        if self.database_password is not None:
            with_password(self.database_url, self.database_password)
        return self

    @property
    def database_address(self) -> str:
        """The URL of the database, with its password."""
        if self.database_password is None:
            return self.database_url.get_secret_value()
        return with_password(self.database_url, self.database_password)
