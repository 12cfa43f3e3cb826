"""Alembic's entry: migrates the database that the caller named, else that of the settings."""

from alembic import context

from app.database.engine import create_engine
from app.database.tables import metadata
from app.settings import Settings

url = context.config.attributes.get("url") or Settings().database_url.get_secret_value()
engine = create_engine(url)
with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
