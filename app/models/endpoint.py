"""Endpoint specs: where a remote model is, how it is called, and whether it may be called."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from app import errors
from app.models.strict_model import StrictModel
from app.protocol.examples import GREY_IMAGE
from app.protocol.types import Explained, Image, Row

# Headers that belong to HTTP itself.
_RESERVED = {
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
    "host", "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
_SecretName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,63}$"),
    Explained(
        "use small letters, digits and underscores, at most 64 characters; begin with a letter",
        of_secret=True,
    ),
]
_EndpointName = Annotated[
    str,
    Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"),
    Explained(
        "use letters, digits and dashes, at most 63 characters; begin and end with a letter or "
        "digit"
    ),
]
_Region = Annotated[
    str,
    Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$"),
    Explained("must be the name of an AWS region, such as us-east-1"),
]
_HeaderName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9-]{1,64}$"),
    Explained("use letters, digits and dashes, 1 to 64 characters", of_secret=True),
]
_Prefix = Annotated[
    str,
    Field(pattern=r"^[!-~ ]{0,32}$"),
    Explained("use printable ASCII characters and spaces, at most 32", of_secret=True),
]


class SageMaker(StrictModel):
    """An endpoint of AWS SageMaker. `credentials` names a secret `KEY_ID:SECRET_KEY`.

    Without `credentials`, Warren uses those of the settings, or botocore finds some. `endpoint_url`
    is the address of the runtime, for services that imitate AWS.
    """

    endpoint_name: _EndpointName = Field(
        description="The name of the endpoint.", examples=["churn-prod"]
    )
    region: _Region = Field(
        "us-east-1", description="The AWS region of the endpoint.", examples=["eu-central-1"]
    )
    endpoint_url: str | None = Field(
        None,
        description="The address of the runtime, if it is not that of AWS.",
        examples=["http://127.0.0.1:4566"],
    )
    credentials: _SecretName | None = Field(
        None,
        description="The name of a secret of the consumers, `KEY_ID:SECRET_KEY`.",
        examples=["churn"],
    )


class Secret(StrictModel):
    """A header that carries a secret: `prefix` and the value of INVOKE_SECRETS__NAME."""

    name: _SecretName = Field(
        description="The NAME of the consumers' setting INVOKE_SECRETS__NAME, in small letters.",
        examples=["summariser"],
    )
    header: _HeaderName = Field(
        "Authorization", description="The header that carries the secret.", examples=["X-Api-Key"]
    )
    prefix: _Prefix = Field(
        "Bearer ", description="Stands before the secret in the header.", examples=["Token "]
    )

    @field_validator("header")
    @classmethod
    def _free(cls, header: str) -> str:
        if header.lower() in _RESERVED:
            raise ValueError(f"{header} belongs to HTTP, so it cannot carry a secret")
        return header


class EndpointSpec(StrictModel):
    """A remote model: `url`, to which JSON is posted, or `sagemaker`.

    It gets the caller's `{"input_data"}` or `{"image_data"}`, or with `sends` "instances"
    `{"instances": [row, ...]}`. It answers `{"prediction", "pred_proba"?}`, `{"predictions"}`, or
    any other JSON, which then is the prediction. `seconds` limits a call, `limit` the calls of one
    consumer at a time. Warren sends a call a second time only if the endpoint is `idempotent`.
    """

    kind: Literal["endpoint"] = Field(
        "endpoint", description="The kind of the model.", examples=["endpoint"]
    )
    url: str | None = Field(
        None,
        description="The address to which requests are posted.",
        examples=["https://models.example.com/summarise"],
    )
    sagemaker: SageMaker | None = Field(
        None,
        description="An endpoint of SageMaker, in place of `url`.",
        examples=[{"endpoint_name": "churn-prod", "region": "eu-central-1"}],
    )
    secret: Secret | None = Field(
        None,
        description="A secret to send in a header. SageMaker takes `credentials` instead.",
        examples=[{"name": "summariser"}],
    )
    sends: Literal["inputs", "instances"] = Field(
        "inputs",
        description="The form of the requests: as the caller wrote them, or with `instances`.",
        examples=["instances"],
    )
    seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        60.0, description="How long a call may take.", examples=[30]
    )
    limit: Annotated[int, Field(ge=1, le=10_000)] = Field(
        100, description="How many calls one consumer has under way at a time.", examples=[200]
    )
    idempotent: bool = Field(
        default=False,
        description="Whether a call may be sent again when its answer was lost.",
        examples=[True],
    )
    sample: Row | None = Field(
        None, description="A row to try the model with.", examples=[{"bmi": 0.06, "bp": 0.02}]
    )
    image_sample: Image | None = Field(
        None, description="An image in base64 to try the model with.", examples=[GREY_IMAGE]
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.url is None) == (self.sagemaker is None):
            raise ValueError("give either url or sagemaker")
        if self.sagemaker and self.secret:
            raise ValueError("secret: SageMaker takes credentials")
        if not _is_address(self.address):
            raise ValueError(
                "the address has to be http:// or https://, a host, and no user; a port is 1 to "
                "65535"
            )
        return self

    @property
    def address(self) -> str:
        """Return the URL that is called; for SageMaker, only its beginning."""
        if self.sagemaker is None:
            return self.url or ""
        region = self.sagemaker.region
        return self.sagemaker.endpoint_url or f"https://runtime.sagemaker.{region}.amazonaws.com"

    def check_host(self, allowed: str) -> None:
        """Raise `errors.Invalid` unless `allowed` lists its host (or host:port)."""
        parts = urlsplit(self.address)
        host = (parts.hostname or "").lower()
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        known = {each.strip().lower() for each in allowed.split(",") if each.strip()}
        if not known & {host, f"{host}:{port}"}:
            field = "url" if self.url else "sagemaker"
            raise errors.Invalid(
                field,
                f"{host}:{port} may not be called; INVOKE_HOSTS lists the hosts that may",
            )


def _is_address(text: str) -> bool:
    """Tell whether a text is an HTTP URL with a host, without a user."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(known) and parts.username is None
