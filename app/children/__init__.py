"""Child processes: how they start, what bounds them, and why they died."""
