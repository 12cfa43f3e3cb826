"""Settings: the only reader of the environment. Mains build one and pass it down."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIN_FIT_MEMORY = 50_000_000  # less than it takes to fit anything


class Settings(BaseSettings):
    """Each field is read from the environment variable of its name, else from `.run/env`.

    `make up` writes `.run/env`, so that a consumer started by hand finds the local stack.
    Sizes are bytes and times are seconds.
    """

    model_config = SettingsConfigDict(
        env_file=".run/env", extra="ignore", frozen=True, env_nested_delimiter="__"
    )

    host: str = "127.0.0.1"
    port: int = 5000
    log_level: str = "INFO"

    rabbitmq_host: str = "127.0.0.1"
    rabbitmq_port: int = 5672
    rabbitmq_user: str = "guest"
    rabbitmq_password: SecretStr = SecretStr("guest")
    rabbitmq_vhost: str = "/"
    rabbitmq_heartbeat: int = Field(10, ge=1)  # 0 would let a dead peer go unnoticed

    database_url: SecretStr = SecretStr("sqlite:///warren.db")

    s3_bucket_name: str = "warren"
    s3_path_name: str = "data/"
    s3_model_path_name: str = "models/"
    aws_endpoint_url: str | None = None
    aws_default_region: str = "us-east-1"
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None

    train_wait: float = Field(1.0, gt=0)  # how long POST /train waits for TASK_RECEIVED
    predict_timeout: float = Field(10.0, gt=0)
    max_in_flight: int = Field(4096, ge=1)  # predictions
    max_in_flight_bytes: int = Field(32_000_000, ge=4_000_000)
    max_body: int = Field(4_000_000, ge=1, le=4_000_000)  # it becomes a message: rabbitmq.conf
    max_dataset: int = 2_000_000_000
    max_model: int = Field(500_000_000, ge=1, le=2_000_000_000)  # protobuf ends at 2 GiB
    max_pixels: int = Field(25_000_000, ge=1)

    max_attempts: int = Field(4, ge=1)
    lease_seconds: float = Field(15.0, ge=5)  # a consumer not heard of for so long has lost its job
    fit_seconds: float = Field(36_000.0, gt=0, le=82_800)  # below the broker's consumer_timeout
    fit_memory: int = Field(4_000_000_000, ge=MIN_FIT_MEMORY)

    predict_prefetch: int = Field(128, ge=1)
    model_cache: int = 512_000_000
    drain_seconds: float = 30.0

    invoke_hosts: str = ""  # which endpoints may be called: host or host:port, comma between them
    invoke_secrets: dict[str, SecretStr] = Field(default_factory=dict)  # INVOKE_SECRETS__NAME=value
