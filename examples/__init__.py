"""Examples that run against a Warren: `python -m examples.NAME.run`."""
