"""Use the database of the settings only if it is there, because SQLite makes a missing one."""

import sys

from app.database.engine import Engine, create_engine, create_nothing, sqlite_file
from app.settings import Settings

_NAMED = "DATABASE_URL names it, and `alembic upgrade head` makes it"
_DEFAULT = (
    "it is the default, because DATABASE_URL is not set: set it, or {run} in the folder of the "
    "checkout, where `.run/env` has it"
)


def only_existing(engine: Engine, settings: Settings, run: str = "start this") -> None:
    """Let an engine use the database of the settings only if it is there.

    To connect raises `errors.DatabaseUnavailable` otherwise, which tells which setting is missing
    or wrong; `run` says what would find it.
    """
    hint = _NAMED if _is_given(settings) else _DEFAULT.format(run=run)
    create_nothing(engine, hint)


def end_without_database(settings: Settings) -> None:
    """End the process with status 1 if no setting names the database and the default is not there.

    One that a setting names may come later, as that of a server does.
    """
    engine = create_engine(settings.database_address)
    file = sqlite_file(engine)
    engine.dispose()
    if file and not file.is_file() and not _is_given(settings):
        sys.exit(f"There is no database {file}; {_DEFAULT.format(run='start this')}")


def _is_given(settings: Settings) -> bool:
    return "database_url" in settings.model_fields_set
