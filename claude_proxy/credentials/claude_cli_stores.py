"""The Claude CLI's stores in the order in which the CLI reads them. keyring is imported only for a look."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from claude_proxy.credentials.claude_cli_paths import ClaudeCliPaths

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

ClaudeCliStores = Callable[[], "list[KeyringBackend]"]

KEYCHAIN_TTL = 30.0  # a new login is noticed this much later; each look runs a program


def claude_cli_stores(paths: ClaudeCliPaths, platform: str = sys.platform) -> "list[KeyringBackend]":
    """The keychain and the file on macOS, the file elsewhere."""
    from claude_proxy.credentials.claude_cli_keyrings import (  # noqa: PLC0415 - it imports keyring
        ClaudeCliFileKeyring,
        ClaudeCliKeychain,
    )

    file = ClaudeCliFileKeyring(paths)
    return [ClaudeCliKeychain(paths), file] if platform == "darwin" else [file]


def store_ttl(platform: str = sys.platform) -> float | None:
    """The `ttl` of what the stores answer: unlike a file, the macOS keychain has no fingerprint."""
    return KEYCHAIN_TTL if platform == "darwin" else None
