from app.producer.memory_shares import memory_shares
from app.settings import Settings


def test_all_inspections_that_may_run_at_a_time_count():
    settings = Settings(
        _env_file=None, max_model=100_000_000, max_in_flight_bytes=32_000_000, max_connections=100
    )

    assert {each.use: each.total for each in memory_shares(settings)} == {
        "inspections of models": 2 * 2_400_000_000,
        "inspections of tables": 3_000_000_000,
        "descriptions of data sets": 4_000_000_000,
        "bodies": 32_000_000,
        "unparsed bytes": 25_600_000,
    }
