"""All errors of the product."""

from app.errors import WarrenError


def tree(cls: type[WarrenError] = WarrenError) -> list[type[WarrenError]]:
    """Return the errors that have a type of their own."""
    own = [cls] if "type" in vars(cls) else []
    return [*own, *(each for sub in cls.__subclasses__() for each in tree(sub))]
