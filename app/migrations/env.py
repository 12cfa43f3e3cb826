"""Alembic's entry: migrates the database that the caller named, else that of the settings."""

from alembic import context

from app import database
from app.settings import Settings

url = context.config.attributes.get("url") or Settings().database_url.get_secret_value()
engine = database.engine(url)
with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
    context.configure(
        connection=connection, target_metadata=database.metadata, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
