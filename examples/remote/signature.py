"""The check of AWS's Signature Version 4, as a service of AWS does it."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

SKEW = timedelta(minutes=5)
SERVICE = "sagemaker"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>\d{8}/[^/]+/[^/]+/aws4_request), ?"
    r"SignedHeaders=(?P<signed>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """The request is not signed by whom it says; what it says is for the client."""


def check(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    key: str,
    secret: str,
) -> None:
    """Raise `Refused` unless the request was signed with this key. Header names are lower case."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise Refused("Missing Authentication Token")
    if found["key"] != key:
        raise Refused("The security token included in the request is invalid.")
    when = headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("Date must be in ISO-8601 'basic format'.") from None
    if abs(datetime.now(UTC) - signed_at) > SKEW:
        raise Refused(f"Signature expired: {when} is too far from now.")
    date, region, service, _ = found["scope"].split("/")
    if date != when[:8] or service != SERVICE:
        raise Refused("Credential should be scoped to today and to 'sagemaker'.")
    names = found["signed"].split(";")
    if "host" not in names or any(name not in headers for name in names):
        raise Refused("'Host' must be a 'SignedHeader', and each of them must be sent.")

    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join([method, path, query, *lines, "", found["signed"], digest])
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", when, found["scope"], hashed])
    signing = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    wanted = hmac.digest(signing, to_sign.encode(), "sha256").hex()
    if not hmac.compare_digest(wanted, found["signature"]):
        raise Refused("The request signature we calculated does not match the one you provided.")
