"""Other programs that know about credentials: their environment, and where they are."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

# What says which account to use, or where. A program asked about its own stored login must not meet them.
_ACCOUNT_VARIABLES = (
    "ANTHROPIC_",
    "CLAUDE_PROXY_",
    "CLAUDE_CODE_OAUTH_",
    "CLAUDE_CODE_USE_",
    "CLAUDE_CODE_API_KEY_",
    "CLAUDE_CODE_CUSTOM_OAUTH_",
    "OPENAI_",
)
# Where installers put programs that a service's short PATH does not name.
_USUAL_PLACES = (".local/bin", ".claude/local", "bin", ".npm-global/bin", ".bun/bin", "go/bin")
_SYSTEM_PLACES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin")


def without_secrets(environ: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
    """`environ` without keys, tokens and addresses, but for the names in `keep`."""
    return {name: text for name, text in environ.items() if name in keep or not name.startswith(_ACCOUNT_VARIABLES)}


def find_program(name: str, environ: Mapping[str, str], home: Path) -> Path | None:
    """Where `name` is: on the PATH, else where its installers put it. A relative PATH entry is passed over."""
    listed = [entry for entry in environ.get("PATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    usual = [str(home / place) for place in _USUAL_PLACES]
    found = shutil.which(name, path=os.pathsep.join([*listed, *usual, *_SYSTEM_PLACES]))
    return Path(found) if found else None
