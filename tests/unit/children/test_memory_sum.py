from app.children.memory_sum import OWN_BYTES, Share, too_much_memory

FITS = Share("fits", 4_000_000_000, 2, ("FIT_MEMORY", "--num_threads"))
MODELS = Share("models at work", 2_000_000_000, settings=("MODEL_MEMORY",))
TABLES = Share("tables", 3_000_000_000, 3)
TOTAL = 8_000_000_000 + 2_000_000_000 + 9_000_000_000 + OWN_BYTES


def test_settings_that_the_memory_allows_are_no_matter():
    assert too_much_memory("consumer", [FITS, MODELS, TABLES], TOTAL) is None


def test_more_than_there_is_is_told_with_the_numbers_and_what_to_lower():
    assert too_much_memory("consumer", [MODELS, FITS, TABLES], TOTAL - 1_000_000_000) == (
        "the settings let this consumer take 19.5 GB of memory, but the machine or container has "
        "18.5 GB: models at work 2.0 GB (MODEL_MEMORY), fits 2 x 4.0 GB (FIT_MEMORY, "
        "--num_threads), tables 3 x 3.0 GB, the process itself 0.5 GB. Where memory ends, the "
        "system kills a child process, and its work is repeated. Lower FIT_MEMORY or "
        "--num_threads, or add memory"
    )


def test_small_shares_are_told_in_smaller_units():
    shares = [Share("bodies", 32_000_000, settings=("A",)), Share("bytes", 256_000, 2)]

    warning = too_much_memory("producer", shares, 1)

    assert warning is not None
    assert "bodies 32 MB (A), bytes 2 x 256 kB," in warning
