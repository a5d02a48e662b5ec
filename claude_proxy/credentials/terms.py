"""What somebody who uses a plan login with this program should know, in three lines."""

from claude_proxy.credentials.base import Credential

_NOTE = """\
This is your own plan login (Free, Pro, Max, …), for yourself, on your own machine.
Anthropic prefers API keys for tools like this one, and may refuse a plan login outside Claude Code.
To switch, set ANTHROPIC_API_KEY, run `claude-proxy credentials set`, or log in with `claude auth login --console`."""


def terms_note(credential: Credential) -> str | None:
    """Three plain lines for a plan login, None for everything else.

    A login to the Console (a key, an Anthropic profile) is what Anthropic means for tools. An OAuth token that
    was given on purpose is a plan's too: only plans have them (`claude setup-token`).
    """
    if credential.kind != "oauth" or credential.source.startswith("Anthropic profile"):
        return None
    return _NOTE
