"""The base classes of all errors."""

import json
from typing import Any, ClassVar, Self


def escaped(text: str) -> str:
    """Return a text with JSON's escapes in place of characters that cannot be seen."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


class WarrenError(Exception):
    """Something went wrong inside Warren."""

    type: ClassVar[str] = "internal"

    def __init__(self, detail: str | None = None, /, **extra: Any) -> None:
        """Create the error; `extra` has values for programs: the field, the state, the limits.

        Characters of `detail` that cannot be seen are escaped, because clients may have sent them.
        """
        self.detail = escaped(detail) if detail else self.__doc__ or ""
        self.extra = extra
        super().__init__(self.detail)

    def to_wire(self) -> dict[str, Any]:
        """Return `{"type", "detail", ...extra}`, the form of replies and of the job table."""
        return {"type": self.type, "detail": self.detail, **self.extra}


class FieldError(WarrenError):
    """A field of the request is wrong, or names something that does not fit."""

    def __init__(self, field: str | None = None, message: str | None = None, /, **extra: Any):
        """`detail` becomes `{field}: {message}`; `field` is None where no field is at fault."""
        if field is None:
            super().__init__(message, **extra)
        else:
            super().__init__(f"{field}: {message}", field=field, **extra)

    @property
    def message(self) -> str:
        """Return the detail without the field."""
        return self.detail.removeprefix(f"{escaped(str(self.extra.get('field')))}: ")

    def within(self, parent: str) -> Self:
        """Return the same error for the field below `parent`; the body itself becomes `parent`."""
        field = self.extra.get("field", "body")
        return self.renamed(parent if field == "body" else f"{parent}.{field}")

    def renamed(self, field: str, message: str | None = None, /, **more: Any) -> Self:
        """Return the same error for another field, or also with another message and `more`."""
        extra = {name: value for name, value in self.extra.items() if name != "field"} | more
        return type(self)(field, message or self.message, **extra)
