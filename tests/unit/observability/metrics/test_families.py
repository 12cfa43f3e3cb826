import threading

from app.observability.metrics.families import Counter, Histogram


def test_a_counter_counts_by_the_values_of_its_labels():
    counter = Counter("a_total", "", ("kind",), known=[("known",)])
    counter.add("seen")
    counter.add("seen", by=2)

    assert counter.read() == {("known",): 0, ("seen",): 3}


def test_a_counter_without_labels_starts_at_0():
    assert Counter("a_total", "").read() == {(): 0}


def test_a_bucket_holds_the_values_up_to_its_bound():
    histogram = Histogram("a", "", ("kind",), bounds=(1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(value, "x")
    histogram.series("y").observe(2.5)

    assert histogram.read() == {("x",): ([2, 2, 1], 14.0), ("y",): ([0, 0, 1], 2.5)}


def test_threads_lose_no_count():
    counter, histogram = Counter("a_total", "", ("kind",)), Histogram("a", "", bounds=(1.0,))

    def count():
        for _ in range(2000):
            counter.add("x")
            histogram.observe(0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert counter.read() == {("x",): 8000}
    assert histogram.read() == {(): ([8000, 0], 4000.0)}
