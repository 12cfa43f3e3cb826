"""What the oracle reads: the job table, and an audit of every change, by raw SQL."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

# Columns that the product may not have yet are null.
AUDIT = """
CREATE TABLE chaos_audit (
    seq bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), op text,
    id text, worker text, old_state text, state text, old_attempt int, attempt int,
    old_key text, result_key text, old_sha256 text, result_sha256 text
);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    now jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
BEGIN
    IF (was->>'state', was->>'attempt', was->>'result_key', was->>'result_sha256', was->>'result')
        IS DISTINCT FROM
       (now->>'state', now->>'attempt', now->>'result_key', now->>'result_sha256', now->>'result')
    THEN
        INSERT INTO chaos_audit (op, id, worker, old_state, state, old_attempt, attempt,
                           old_key, result_key, old_sha256, result_sha256)
        VALUES (TG_OP, coalesce(now->>'id', was->>'id'),
                coalesce(now->>'worker', was->>'worker'), was->>'state', now->>'state',
                (was->>'attempt')::int, (now->>'attempt')::int, was->>'result_key',
                now->>'result_key', was->>'result_sha256', now->>'result_sha256');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON jobs
    FOR EACH ROW EXECUTE FUNCTION audited();
"""

IN_WORK = "SELECT count(*) FROM jobs WHERE state IN ('TASK_QUEUED', 'TASK_RUNNING')"


class Database:
    """The database as nobody's client but ours: by the socket, past the proxies."""

    def __init__(self, address: str) -> None:
        """`address` as libpq writes it."""
        self._address = address

    def install_audit(self) -> None:
        with self.connect() as connection:
            connection.execute(AUDIT)

    def in_work(self) -> int:
        """Count the jobs that have not ended."""
        with self.connect() as connection:
            row = connection.execute(IN_WORK).fetchone()
        return int(row["count"]) if row else 0

    def jobs(self) -> list[dict[str, Any]]:
        return self._read("SELECT * FROM jobs")

    def attempts(self) -> list[dict[str, Any]]:
        """Return the rows of all attempts in their order."""
        return self._read("SELECT * FROM attempts ORDER BY job_id, attempt")

    def audit(self) -> list[dict[str, Any]]:
        """Return every change in its order; `at` in seconds since 1970."""
        return self._read(
            "SELECT *, extract(epoch FROM at)::float8 AS at FROM chaos_audit ORDER BY seq"
        )

    def version(self) -> str:
        return str(self._read("SHOW server_version")[0]["server_version"])

    def _read(self, query: str) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self._address, autocommit=True, row_factory=dict_row)
