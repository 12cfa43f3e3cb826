import pytest

from app.models.endpoint import EndpointSpec


@pytest.mark.parametrize(
    "header",
    ["Content-Length", "host", "TRANSFER-ENCODING", "Connection", "Accept-Encoding", "Content-Type",
     "Content-Encoding", "te", "Trailer", "Upgrade", "Expect"],
)  # fmt: skip
def test_no_secret_replaces_what_belongs_to_http(header):
    with pytest.raises(ValueError, match="belongs to HTTP"):
        EndpointSpec.model_validate(
            {"url": "http://localhost/", "secret": {"name": "token", "header": header}}
        )
