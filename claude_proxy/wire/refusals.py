"""The texts with which Anthropic refuses a plan login outside Claude Code. Data only."""

# Each is a part of the message of a 400 or 403, in lower case; with where it was first reported.
OUTSIDE_CLAUDE_CODE = (
    # "This credential is only authorized for use with Claude Code and cannot be used for other API requests."
    # (2025-09, anthropics/claude-code#8046)
    "only authorized for use with claude code",
    # "Third-party apps now draw from your extra usage, not your plan limits. ..." (2026-04)
    "third-party apps now draw from",
)


def refuses_plan_login(message: str) -> bool:
    """Whether an error's message says that a plan login is not accepted outside Claude Code."""
    low = message.lower()
    return any(words in low for words in OUTSIDE_CLAUDE_CODE)
