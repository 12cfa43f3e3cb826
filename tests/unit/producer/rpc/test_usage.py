from app.producer.rpc.usage import MAX_MODELS, SECONDS, ModelUsageTracker


def test_what_is_counted_is_bounded_and_forgotten():
    now = 0.0
    counted = ModelUsageTracker(clock=lambda: now)
    for number in range(MAX_MODELS + 5):
        now = number / 1000
        counted.answered(str(number), now)
    assert len(counted.recent()) == MAX_MODELS
    assert min(map(int, counted.recent())) == 5

    now += SECONDS - 0.0015
    assert {int(name) for name in counted.recent()} == {MAX_MODELS + 3, MAX_MODELS + 4}


def test_the_time_of_the_last_answer_is_known():
    now = 100.0
    counted = ModelUsageTracker(clock=lambda: now)
    now = 101.5
    counted.answered("m", 100.0)
    now = 103.25
    counted.answered("m", 103.0)

    use = counted.recent()["m"]
    assert (use.calls, use.elapsed, use.at) == (2, 0.25, 103.25)
