from app.producer.app import create_app
from app.settings import Settings
from tests.unit.producer.answers.test_problems import Client


def test_a_client_that_has_the_document_gets_a_304() -> None:
    client = Client(create_app(Settings(_env_file=None)))

    first = client("GET", "/openapi.json")
    again = client("GET", "/openapi.json", headers={"If-None-Match": first.headers["etag"]})

    assert first.json()["info"]["title"] == "Warren"
    assert (again.status_code, again.content) == (304, b"")
