"""Settings of encryption: the producer's certificate, and how servers are trusted."""

from typing import Literal, Self

from pydantic import Field, model_validator

from app.settings.limits import LimitSettings

# What has no effect on a connection that is not encrypted.
_OF_RABBITMQ = (
    "rabbitmq_ca_file",
    "rabbitmq_certificate_file",
    "rabbitmq_key_file",
    "rabbitmq_producer_certificate_file",
    "rabbitmq_consumer_certificate_file",
)


class TlsSettings(LimitSettings):
    """Files are in PEM. Keys have no passphrase."""

    tls_certificate_file: str = Field(
        "",
        description="The certificate chain with which the producer serves HTTPS, and no HTTP. New "
        "connections get a new certificate as soon as the files have changed.",
    )
    tls_key_file: str = Field(
        "",
        description="The key of `TLS_CERTIFICATE_FILE`, if it is not in the same file.",
    )
    rabbitmq_tls: Literal["on", "off"] = Field(
        "off",
        description="Whether connections to the broker, and to its management API, are encrypted: "
        "`on` or `off`. The broker's certificate has to be valid for `RABBITMQ_HOST`. Brokers "
        "usually listen on the `RABBITMQ_PORT` 5671 then, and for management on 15671.",
    )
    rabbitmq_ca_file: str = Field(
        "",
        description="The authorities that may sign the broker's certificate. Without it, those of "
        "the system may.",
    )
    rabbitmq_certificate_file: str = Field(
        "",
        description="The client certificate that the broker sees. With it, and without a password, "
        "the process logs in by the certificate (EXTERNAL), as `RABBITMQ_USER`.",
    )
    rabbitmq_key_file: str = Field(
        "", description="The key of `RABBITMQ_CERTIFICATE_FILE`, if it is not in the same file."
    )
    rabbitmq_producer_certificate_file: str = Field(
        "",
        description="The certificate that the producer has instead, with its key in the same file. "
        "Likewise below.",
    )
    rabbitmq_consumer_certificate_file: str = Field(
        "", description="The certificate that consumers have instead."
    )
    aws_ca_bundle: str = Field(
        "",
        description="The authorities that may sign the certificate of an S3 server whose "
        "`AWS_ENDPOINT_URL` begins with `https:`. Without it, those that boto3 brings may.",
    )

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        for key in ("tls_key_file", "rabbitmq_key_file"):
            certificate = key.replace("key", "certificate")
            if getattr(self, key) and not getattr(self, certificate):
                raise ValueError(
                    f"{key.upper()} has no certificate: set {certificate.upper()}, too"
                )
        for name in _OF_RABBITMQ:
            if getattr(self, name) and self.rabbitmq_tls == "off":
                raise ValueError(f"{name.upper()} has no effect: set RABBITMQ_TLS=on, too")
        return self
