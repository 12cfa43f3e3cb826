"""The database of the operators' commands."""

from app.database.engine import Engine, create_engine
from app.database.existing import only_existing
from app.settings import Settings

RUN = "run the command"


def open_database(settings: Settings) -> Engine:
    """Return the engine of the database that the settings name; no command makes one.

    To connect raises `errors.DatabaseUnavailable`, which tells which setting is missing or wrong.
    """
    engine = create_engine(settings.database_address)
    only_existing(engine, settings, RUN)
    return engine
