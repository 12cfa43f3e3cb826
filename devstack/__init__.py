"""The local stack: what `make` runs on one machine, and what the tests start their servers with."""
