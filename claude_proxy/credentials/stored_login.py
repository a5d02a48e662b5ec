"""The Claude CLI's own login (`claude auth login`): where it is kept, and what may be wrong with it."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from claude_proxy.credentials.base import Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.cli_places import CliPlaces, stamp_of
from claude_proxy.credentials.keychain_age import KeychainAge
from claude_proxy.credentials.renewal import Renewal

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

LOG_IN = "run `claude auth login`"
INFERENCE = "user:inference"
_MILLISECONDS = 1e11  # as seconds this is the year 5138, as milliseconds 1973: what is smaller is seconds

Stores = Callable[[], "list[KeyringBackend]"]


def cli_stores(places: CliPlaces, platform: str = sys.platform) -> "list[KeyringBackend]":
    """The CLI's stores in the order in which it reads them. Imports keyring."""
    from claude_proxy.credentials.cli_keyrings import CliFileKeyring, CliKeychain  # noqa: PLC0415 - some 60 ms

    file = CliFileKeyring(places)
    return [CliKeychain(places), file] if platform == "darwin" else [file]


# What makes the CLI look after its login. `auth status` is the call meant for it, and in some half of its runs it
# is done before its renewal has begun (seen with 2.1.330: 17 of 32 renewed; it waits for one that has begun).
# Listing the marketplaces, which reads local settings, renewed 34 times of 34.
RENEWING_CALLS = (("auth", "status"), ("plugin", "marketplace", "list"))


def cli_renewal(places: CliPlaces, environ: Mapping[str, str], home: Path) -> Renewal:
    """How the CLI is made to renew its own login."""
    return Renewal("claude", RENEWING_CALLS, places.login_file, environ, home)


class StoredLogin(Source):
    """The login that `claude auth login` left behind. Never written, never refreshed by us."""

    name = "Claude CLI login"
    way_out = LOG_IN
    deadline = 8.0

    def __init__(
        self,
        places: CliPlaces,
        stores: Stores | None = None,
        age: KeychainAge | None = None,
        renewal: Renewal | None = None,
    ) -> None:
        self.description = f"the login stored by the Claude CLI ({places.login_file})"
        self._places = places
        self._stores = stores or (lambda: cli_stores(places))
        self._age = age or KeychainAge()
        self._renewal = renewal

    def stamp(self) -> object:
        return stamp_of(self._places.login_file)

    def aged(self) -> bool:
        return self._age.aged()

    def look(self) -> Finding:
        self._age.looked()
        answers = [self._ask(store) for store in self._stores()]
        found = [answer for answer in answers if answer.credential]
        if found:  # both stores may hold one, after the keychain once refused a write: the later one is in use
            return max(found, key=_expiry)
        for state in ("unusable", "cannot look"):
            for answer in answers:
                if answer.state == state:
                    return answer
        return self.not_here(f"no login in {self._places.login_file}")

    def can_renew(self, credential: Credential) -> bool:
        return self._renewal is not None

    def renew(self, credential: Credential) -> str | None:
        if self._renewal is None:
            return super().renew(credential)
        return self._renewal.run(lambda: self.look().credential != credential)

    def _ask(self, store: "KeyringBackend") -> Finding:
        from keyring.errors import KeyringError, KeyringLocked  # noqa: PLC0415 - loaded by now

        try:
            text = store.get_password(self._places.login_service, self._places.account)
        except KeyringLocked as exc:
            return self.cannot_look(str(exc), "unlock it with `security unlock-keychain`")
        except KeyringError as exc:
            return self.cannot_look(str(exc))
        return self.not_here("no login") if text is None else self.read(text)

    def read(self, text: str) -> Finding:
        """What the store's document says. Every field is checked: the CLI's versions differ, and so do its repairs."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return self.unusable("the stored document is not valid JSON", LOG_IN)
        login = document.get("claudeAiOauth") if isinstance(document, dict) else None
        if login is None:
            return self.not_here("the store holds no login, only other entries")
        if not isinstance(login, dict):
            return self.unusable("the stored login is not in a form this program knows", LOG_IN)
        token = login.get("accessToken")
        if not isinstance(token, str):
            return self.unusable("the stored login holds no access token", LOG_IN)
        if not token.strip():
            return self.unusable("the login has ended, its tokens are blank", LOG_IN)
        if problem := flaw(token):
            return self.unusable(f"the stored access token cannot be used: {problem}", LOG_IN)
        scopes = _scopes(login.get("scopes"))
        if scopes and INFERENCE not in scopes:
            return self.unusable(f"the login lacks the permission {INFERENCE}", LOG_IN)
        credential = Credential(
            "oauth",
            Secret(token),
            self.name,
            expires_at=epoch_seconds(login.get("expiresAt")),
            scopes=scopes,
            subscription=_name(login.get("subscriptionType")),
            stored_login=True,
        )
        return Finding(self.name, "found", str(self._places.login_file), credential=credential)


def epoch_seconds(value: object) -> float | None:
    """`expiresAt` in epoch seconds, whether it is milliseconds, seconds or a string of either; None if unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    return number if number < _MILLISECONDS else number / 1000


def _scopes(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and not flaw(value) else None


def _expiry(finding: Finding) -> float:
    credential = finding.credential
    return credential.expires_at if credential and credential.expires_at else 0.0
