"""Seeded fuzzing of both doors of the real processes: `python -m tests.fuzz --cases N --seed S`."""
