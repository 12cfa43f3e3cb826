"""The settings of logs, metrics and traces; see `settings`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from app.settings.checks import check_level


class ObservabilitySettings(BaseSettings):
    """What tells people and programs what Warren does."""

    log_level: Annotated[str, AfterValidator(check_level)] = Field(
        "INFO",
        description="The lowest level that is logged: `DEBUG`, `INFO`, `WARNING`, `ERROR` or "
        "`CRITICAL`.",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How a record is logged: `text` is a line, `json` an object in a line."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="The port on which a consumer serves `/metrics` and `/healthz`; 0 for none. "
        "Each consumer of a machine needs a port of its own; one whose port is taken works without "
        "them.",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="The address of `METRICS_PORT`. On an address other than a loopback one, "
        "`/metrics` needs a key of the scope `metrics`, unless `AUTH` is `off`.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "",
        description="The collector that gets spans by OTLP over HTTP, such as "
        "`http://127.0.0.1:4318`. It needs the extra `otel`. Without a value no spans are made.",
    )
    otel_traces_sampler_arg: float = Field(
        0.01,
        ge=0,
        le=1,
        description="The share of traces that is recorded. If a caller sends `traceparent`, the "
        "caller decides.",
    )
