"""The API key that a Console login of the Claude CLI left behind (`claude auth login --console`)."""

from typing import TYPE_CHECKING

from claude_proxy.credentials.base import Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.cli_places import CliPlaces, stamp_of
from claude_proxy.credentials.keychain_age import KeychainAge
from claude_proxy.credentials.stored_login import Stores, cli_stores

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_LOG_IN = "run `claude auth login --console`"


class ConsoleKey(Source):
    """The CLI's key: in the keychain on macOS, else in the CLI's own JSON file."""

    name = "Claude CLI Console key"
    deadline = 8.0

    def __init__(self, places: CliPlaces, stores: Stores | None = None, age: KeychainAge | None = None) -> None:
        self.description = f"the API key of a Console login by the Claude CLI ({places.state_file})"
        self._places = places
        self._stores = stores or (lambda: cli_stores(places))
        self._age = age or KeychainAge()

    def stamp(self) -> object:
        return stamp_of(*self._places.state_files)

    def aged(self) -> bool:
        return self._age.aged()

    def look(self) -> Finding:
        self._age.looked()
        trouble: Finding | None = None
        for store in self._stores():
            answer = self._ask(store)
            if answer.state == "found":
                return answer
            if answer.state != "not here":
                trouble = trouble or answer
        return trouble or self.not_here(f"no key in {self._places.state_file}")

    def _ask(self, store: "KeyringBackend") -> Finding:
        from keyring.errors import KeyringError  # noqa: PLC0415 - loaded by now

        try:
            text = store.get_password(self._places.key_service, self._places.account)
        except KeyringError as exc:
            return self.cannot_look(str(exc))
        if text is None or not text.strip():
            return self.not_here("no key")
        if problem := flaw(text):
            return self.unusable(f"the stored key cannot be used: {problem}", _LOG_IN)
        credential = Credential("api_key", Secret(text), self.name, stored_login=True)
        return Finding(self.name, "found", str(self._places.state_file), credential=credential)
