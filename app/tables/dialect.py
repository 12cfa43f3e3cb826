"""How the bytes of a data set are read: the kind of file, and the dialect of a CSV."""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo

from app import errors
from app.models.strict_model import StrictModel

Kind = Literal["csv", "parquet", "arrow"]
Delimiter = Literal[",", ";", "\t", "|"]
Decimal = Literal[".", ","]
Thousands = Literal[",", ".", " ", "'"]
Encoding = Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]

# What a caller may write in place of a character, which a URL has to escape.
NAMES = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    "point": ".",
    "blank": " ",
    "apostrophe": "'",
}
DELIMITERS: tuple[Delimiter, ...] = get_args(Delimiter)


def _character(written: object, info: ValidationInfo) -> object:
    """Return the character that a name such as `semicolon` stands for.

    Raises `errors.Invalid`, which names the field, for one that the field cannot have.
    """
    if not isinstance(written, str):
        return written
    known = _CHARACTERS[info.field_name or ""]
    character = NAMES.get(written.lower(), written)
    if character not in known:
        *most, last = (name for name, each in NAMES.items() if each in known)
        words = f"{', '.join(most)} or {last}"
        raise errors.Invalid(info.field_name, f"must be {words}, or that character itself")
    return character


_Named = BeforeValidator(_character)
_CHARACTERS = {
    "delimiter": DELIMITERS,
    "decimal": get_args(Decimal),
    "thousands": get_args(Thousands),
}


class Dialect(StrictModel):
    """How a CSV is written."""

    delimiter: Delimiter = Field(",", description="The character between two fields.")
    decimal: Decimal = Field(".", description="The character before the decimals of a number.")
    thousands: Thousands | None = Field(
        None,
        description="The character between groups of three digits. A blank stands for blanks of "
        "any width, an apostrophe also for a typographic one. Null: numbers have no groups.",
    )
    encoding: Encoding = Field("utf-8", description="The encoding of the text.")
    compression: Literal["gzip"] | None = Field(
        None, description="How the file is compressed, or null."
    )
    skipped_lines: int = Field(
        0, ge=0, le=1, description="The lines above the header: 1 if there is a line `sep=;`."
    )
    line_end: Literal["lf", "cr"] = Field(
        "lf", description="`cr` if lines end in CR alone; `lf` also stands for CR LF."
    )
    index: Literal["first", "extra"] | None = Field(
        None,
        description="Which field of a row is its name, and is left out: `first`, the first column; "
        "`extra`, the first field of rows that have one more than the header; null, none.",
    )

    @property
    def plain_numbers(self) -> bool:
        """Tell whether numbers are written as JSON writes them."""
        return self.decimal == "." and self.thousands is None


class TableFormat(StrictModel):
    """The kind of a file, and the dialect of a CSV; Parquet and Arrow have none."""

    kind: Kind = "csv"
    dialect: Dialect | None = None

    @classmethod
    def csv(cls, dialect: Dialect | None = None) -> "TableFormat":
        """Return the format of a CSV, in the plain dialect unless another is given."""
        return cls(kind="csv", dialect=dialect or Dialect())

    @property
    def csv_dialect(self) -> Dialect:
        """Return the dialect of a CSV; the plain one if none is known."""
        return self.dialect or Dialect()


class DialectOptions(StrictModel):
    """What a caller says about a CSV. Null: it is found out from the first bytes."""

    delimiter: Annotated[Delimiter, _Named] | None = None
    decimal: Annotated[Decimal, _Named] | None = None
    thousands: Annotated[Thousands, _Named] | None = None
    encoding: Encoding | None = None
    index: bool | None = None
    charset: str = Field("", description="Of the Content-Type: believed unless the bytes differ.")

    def check(self) -> None:
        """Raise `errors.Invalid` for options that contradict each other."""
        if self.thousands is not None and self.thousands == self.decimal:
            raise errors.Invalid(
                "thousands", f'it is "{self.thousands}", as decimal is; they have to differ'
            )

    @property
    def given(self) -> bool:
        """Tell whether any option about a CSV is given."""
        mine = (self.delimiter, self.decimal, self.thousands, self.encoding, self.index)
        return any(each is not None for each in mine)
