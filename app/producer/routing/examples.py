"""Examples of parameters, in the form from which the page `/docs` fills its boxes."""

from fastapi.openapi.models import Example


def example(value: str | int) -> dict[str, Example]:
    """Return `openapi_examples` of one value: Swagger UI ignores the examples of the schema."""
    return {str(value): {"value": value}}
