"""What a user of a plan login should know before using it with this program, in three lines."""

from claude_proxy.credentials.base import Credential

_NOTE = """\
This is your own plan login (Free, Pro, Max, …), for yourself, on your own machine.
Anthropic prefers API keys for tools like this one, and may refuse a plan login outside Claude Code.
To switch, set ANTHROPIC_API_KEY, run `claude-proxy credentials set`, or log in with `claude auth login --console`."""


def terms_note(credential: Credential) -> str | None:
    """Three lines for a plan login, None for everything else.

    Anthropic intends Console logins (a key, an Anthropic profile) for tools. An OAuth token in a variable or in
    the system keyring belongs to a plan too: only plans have them (`claude setup-token`).
    """
    return _NOTE if is_plan_login(credential.kind, credential.source, credential.subscription) else None


def is_plan_login(kind: str | None, source: str, subscription: str | None) -> bool:
    """Whether a plan, and not a price for each token, pays for requests with this credential."""
    if kind != "oauth":
        return subscription is not None
    return not source.startswith("Anthropic profile")
