"""The API key that a Console login of the Claude CLI left behind (`claude auth login --console`)."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from claude_proxy.credentials.base import Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.claude_cli_paths import ABSOLUTE_PATH_HINT, ClaudeCliPaths
from claude_proxy.credentials.claude_cli_stores import ClaudeCliStores, claude_cli_stores, store_ttl
from claude_proxy.credentials.fingerprint import fingerprint
from claude_proxy.credentials.permissions import exposure_hint

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_LOG_IN = "run `claude auth login --console`"


class ConsoleKey(Source):
    """The Claude CLI's key: in the keychain on macOS, else in the CLI's own JSON file."""

    name = "Claude CLI Console key"
    look_timeout = 8.0

    def __init__(
        self, paths: ClaudeCliPaths, stores: ClaudeCliStores | None = None, *, platform: str = sys.platform
    ) -> None:
        self.description = f"the API key of a Console login by the Claude CLI ({paths.state_file})"
        self._paths = paths
        self._stores = stores or (lambda: claude_cli_stores(paths, platform))
        self._ttl = store_ttl(platform)

    def fingerprint(self) -> object:
        return fingerprint(*self._paths.state_files)

    def look(self) -> Finding:
        if self._paths.problem:
            return self.unusable(self._paths.problem, ABSOLUTE_PATH_HINT)
        return replace(self._look_in_stores(), ttl=self._ttl)

    def _look_in_stores(self) -> Finding:
        trouble: Finding | None = None
        for store in self._stores():
            answer = self._look_in(store)
            if answer.state == "found":
                return answer
            if answer.state != "not here":
                trouble = trouble or answer
        return trouble or self.not_here(f"no key in {self._paths.state_file}")

    def _look_in(self, store: "KeyringBackend") -> Finding:
        from keyring.errors import KeyringError  # noqa: PLC0415 - loaded by the stores already

        try:
            text = store.get_password(self._paths.key_service, self._paths.account)
        except KeyringError as exc:
            return self.cannot_look(str(exc))
        if text is None or not text.strip():
            return self.not_here("no key")
        if problem := flaw(text):
            return self.unusable(f"the stored key cannot be used: {problem}", _LOG_IN)
        hint = next(filter(None, map(exposure_hint, self._paths.state_files)), None)
        credential = Credential("api_key", Secret(text), self.name, stored_login=True)
        return Finding(self.name, "found", str(self._paths.state_file), hint, credential)
