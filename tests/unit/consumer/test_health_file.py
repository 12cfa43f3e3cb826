from app.consumer.health_file import SERVED_SECONDS, LastServed, touch_health_file


def test_the_file_is_touched_while_all_connections_are_served(tmp_path):
    now, file = [0.0], tmp_path / "healthy"
    connections = [LastServed(lambda: now[0]) for _ in range(2)]

    def is_touched():
        file.unlink(missing_ok=True)
        touch_health_file(str(file), connections)
        return file.exists()

    connections[0].note()
    assert not is_touched()  # the other one was never served

    connections[1].note()
    assert is_touched()

    now[0] = SERVED_SECONDS
    connections[1].note()
    assert not is_touched()


def test_without_a_file_nothing_is_touched():
    touch_health_file(None, [LastServed()])
