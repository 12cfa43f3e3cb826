from app.consumer.memory_shares import memory_shares
from app.settings import Settings


def test_each_thread_counts_with_all_that_it_may_run_at_a_time():
    settings = Settings(_env_file=None, fit_memory=3_000_000_000, model_cache=1_000)

    shares = memory_shares(settings, num_threads=4, models=2_000_000_000)

    assert {each.use: each.total for each in shares} == {
        "fits": 12_000_000_000,
        "models at work": 2_000_000_000,
        "models that are kept": 1_000,
        "tables of batch jobs": 7_500_000_000,
    }
