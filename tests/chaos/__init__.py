"""Faults on purpose: real processes, a seeded schedule, and an oracle that counts losses."""
