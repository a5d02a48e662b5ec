"""The Claude CLI's own login (`claude auth login`): where it is stored, and what may be wrong with it."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from claude_proxy.credentials.base import Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.claude_cli_paths import ABSOLUTE_PATH_HINT, ClaudeCliPaths
from claude_proxy.credentials.claude_cli_stores import ClaudeCliStores, claude_cli_stores, store_ttl
from claude_proxy.credentials.fingerprint import fingerprint
from claude_proxy.credentials.permissions import exposure_hint
from claude_proxy.credentials.renewal import Renewal

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

LOG_IN = "run `claude auth login`"
INFERENCE = "user:inference"
_MILLISECONDS = 1e11  # as seconds this is the year 5138, as milliseconds 1973: smaller values are seconds

# Calls that make the Claude CLI renew its login. `auth status` is meant for it, and in about half of its runs it
# ends before its renewal has begun (with 2.1.330, 17 of 32 renewed; it waits for one that has begun). Listing the
# marketplaces, which reads local settings, renewed 34 times of 34.
RENEWING_CALLS = (("auth", "status"), ("plugin", "marketplace", "list"))


def claude_cli_renewal(paths: ClaudeCliPaths, environ: Mapping[str, str], home: Path) -> Renewal:
    """How the Claude CLI is made to renew its own login."""
    return Renewal("claude", RENEWING_CALLS, paths.login_file, environ, home)


class StoredLogin(Source):
    """The login that `claude auth login` left behind. Never written, never refreshed by this program."""

    name = "Claude CLI login"
    login_hint = LOG_IN
    look_timeout = 8.0

    def __init__(
        self,
        paths: ClaudeCliPaths,
        stores: ClaudeCliStores | None = None,
        *,
        platform: str = sys.platform,
        renewal: Renewal | None = None,
    ) -> None:
        self.description = f"the login stored by the Claude CLI ({paths.login_file})"
        self._paths = paths
        self._stores = stores or (lambda: claude_cli_stores(paths, platform))
        self._ttl = store_ttl(platform)
        self._renewal = renewal

    def fingerprint(self) -> object:
        return fingerprint(self._paths.login_file)

    def look(self) -> Finding:
        if self._paths.problem:
            return self.unusable(self._paths.problem, ABSOLUTE_PATH_HINT)
        return replace(self._look_in_stores(), ttl=self._ttl)

    def can_renew(self, credential: Credential) -> bool:
        return self._renewal is not None

    def renew(self, credential: Credential) -> str | None:
        if self._renewal is None:
            return super().renew(credential)
        return self._renewal.run(lambda: self.look().credential != credential)

    def _look_in_stores(self) -> Finding:
        answers = [self._look_in(store) for store in self._stores()]
        found = [answer for answer in answers if answer.credential]
        if found:  # both stores may hold one, after the keychain once refused a write: the later one is in use
            return max(found, key=_expiry)
        for state in ("unusable", "cannot look"):
            for answer in answers:
                if answer.state == state:
                    return answer
        return self.not_here(f"no login in {self._paths.login_file}")

    def _look_in(self, store: "KeyringBackend") -> Finding:
        from keyring.errors import KeyringError, KeyringLocked  # noqa: PLC0415 - loaded by the stores already

        try:
            text = store.get_password(self._paths.login_service, self._paths.account)
        except KeyringLocked as exc:
            return self.cannot_look(str(exc), "unlock it with `security unlock-keychain`")
        except KeyringError as exc:
            return self.cannot_look(str(exc))
        return self.not_here("no login") if text is None else self.read(text)

    def read(self, text: str) -> Finding:
        """The finding for the store's document. Every field is checked, because versions of the CLI differ."""
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
        return self._found(token, scopes, login)

    def _found(self, token: str, scopes: tuple[str, ...], login: Mapping[str, object]) -> Finding:
        subscription = login.get("subscriptionType")
        credential = Credential(
            "oauth",
            Secret(token),
            self.name,
            expires_at=epoch_seconds(login.get("expiresAt")),
            scopes=scopes,
            subscription=subscription if isinstance(subscription, str) and not flaw(subscription) else None,
            stored_login=True,
        )
        file = self._paths.login_file
        return Finding(self.name, "found", str(file), exposure_hint(file), credential)


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
    items = value.split() if isinstance(value, str) else value
    if not isinstance(items, list):
        return ()
    return tuple(item for item in items if isinstance(item, str) and not flaw(item))


def _expiry(finding: Finding) -> float:
    credential = finding.credential
    return credential.expires_at if credential and credential.expires_at else 0.0
