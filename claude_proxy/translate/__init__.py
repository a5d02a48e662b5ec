"""The middle: Messages requests under construction and replies as events. It knows no dialect and does no I/O."""
