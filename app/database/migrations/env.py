"""Alembic's entry: migrates the database that the caller named, else that of the settings."""

from alembic import context

from app.database import auth_tables, name_tables  # noqa: F401  theirs belong to the metadata
from app.database.engine import create_engine
from app.database.tables import metadata
from app.settings import Settings

url = context.config.attributes.get("url") or Settings().database_address
engine = create_engine(url)
with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        if engine.dialect.name == "postgresql":  # because indexes of large tables take long
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        context.run_migrations()
engine.dispose()
