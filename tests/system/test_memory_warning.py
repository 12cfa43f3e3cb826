"""What processes say at their start when their settings allow more memory than there is."""

from tests.system.conftest import Running

SETTINGS = {"FIT_MEMORY": "1_000_000_000_000", "MAX_IN_FLIGHT_BYTES": "1_000_000_000_000"}


def test_each_process_warns_once_and_names_what_to_lower(running: Running) -> None:
    for process, setting in (
        (running.producer, "MAX_IN_FLIGHT_BYTES"),
        (running.consumer, "FIT_MEMORY"),
    ):
        process.says("Lower " + setting)

        (warning,) = (each for each in process.output().splitlines() if "the settings let" in each)
        assert " WARNING " in warning
