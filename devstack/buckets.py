"""An S3 server's buckets, for what the product does not do."""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config


def resource(settings: Mapping[str, str]) -> Any:
    """Return boto3's view of S3 for the settings of the applications; nothing is sent yet."""
    return boto3.resource(
        "s3",
        config=Config(request_checksum_calculation="when_required"),  # rclone knows no trailers
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        verify=settings.get("AWS_CA_BUNDLE") or True,
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )
