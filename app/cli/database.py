"""The database of the operators' commands."""

from app.database.engine import Engine, create_engine, create_nothing
from app.settings import Settings

_NAMED = "DATABASE_URL names it, and `alembic upgrade head` makes it"
_DEFAULT = (
    "it is the default, because DATABASE_URL is not set: set it, or run the command in the folder "
    "of the checkout, where `.run/env` has it"
)


def open_database(settings: Settings) -> Engine:
    """Return the engine of the database that the settings name; no command makes one.

    To connect raises `errors.DatabaseUnavailable`, which tells which setting is missing or wrong.
    """
    engine = create_engine(settings.database_address)
    only_existing(engine, settings)
    return engine


def only_existing(engine: Engine, settings: Settings) -> None:
    """Let an engine use the database of the settings only if it is there."""
    given = "database_url" in settings.model_fields_set
    create_nothing(engine, _NAMED if given else _DEFAULT)
