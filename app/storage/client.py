"""An S3 client for one bucket, and the mapping of boto's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from urllib3.exceptions import HTTPError

from app import errors
from app.observability import tracing
from app.settings import Settings
from app.tls import tls_fault

DEFAULT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=20,
    retries={"mode": "standard", "max_attempts": 3},
    s3={"addressing_style": "path"},
    max_pool_connections=32,
)
# For calls that a client waits for: a server that does not respond costs six seconds at most.
LOW_LATENCY_CONFIG = DEFAULT_CONFIG.merge(
    Config(read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
)
# Over HTTPS, botocore would send checksums in trailer fields, which many servers but AWS's refuse.
_WITHOUT_TRAILERS = Config(request_checksum_calculation="when_required")
# What MinIO and Ceph say, beside the status 507, when a disk or a quota is full.
_FULL = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"}
# The calling thread sends one part after another, so memory stays at two parts of 8 MiB.
SEQUENTIAL_TRANSFER = TransferConfig(use_threads=False)


class S3Client:
    """The bucket of the settings. `boto` is its boto3 client, for the stores of this package."""

    def __init__(self, settings: Settings, config: Config = DEFAULT_CONFIG) -> None:
        """Create the client without connecting. `config` may be `LOW_LATENCY_CONFIG`."""
        secret = settings.aws_secret_access_key
        if (settings.aws_endpoint_url or "").startswith("https:"):
            config = config.merge(_WITHOUT_TRAILERS)
        # boto3 itself reads the variable, and takes an empty one for the name of a file.
        is_empty = "aws_ca_bundle" in settings.model_fields_set
        self.boto = boto3.client(
            "s3",
            config=config,
            endpoint_url=settings.aws_endpoint_url,
            verify=settings.aws_ca_bundle or (True if is_empty else None),
            region_name=settings.aws_default_region,
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
        )
        self.bucket = settings.s3_bucket_name

    def check(self) -> None:
        """Raise `errors.WarrenError` unless the bucket exists and can be reached."""
        with map_s3_errors(f"bucket {self.bucket}"):
            self.boto.head_bucket(Bucket=self.bucket)


@contextmanager
def map_s3_errors(what: str) -> Iterator[None]:
    """Turn boto's errors into `errors.NotFound`, `StorageFull` or `StorageUnavailable`."""
    try:
        with tracing.span("S3", tracing.SpanKind.CLIENT, {"warren.s3.object": what}):
            yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        if status == 404 and code != "NoSuchBucket":
            raise errors.NotFound(None, f"{what} does not exist") from None
        if status == 507 or code in _FULL:
            raise errors.StorageFull(f"S3 has no room for {what}: {error}") from error
        raise errors.StorageUnavailable(f"S3 refused {what}: {error}") from error
    except (BotoCoreError, Boto3Error, HTTPError) as error:  # botocore lets some of a body pass
        fault = tls_fault(error, "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")
        if fault is None and isinstance(error, SSLError):
            fault = f"{error}: look at AWS_CA_BUNDLE"  # such as of a file that is not there
        why = f"TLS with it fails: {fault}" if fault else str(error)
        raise errors.StorageUnavailable(f"S3 cannot be reached: {why}") from error
