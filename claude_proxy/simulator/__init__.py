"""A strict, deterministic Messages API of our own, for offline work, demos and tests."""
