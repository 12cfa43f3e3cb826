"""What Warren does in a second, beside others that do the same: `python -m benchmarks`."""
