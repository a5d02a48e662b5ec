"""A strict, deterministic Messages API of our own: offline work, demos, and the upstream of the tests."""
