"""What a credential is, and what a source of credentials answers."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["api_key", "auth_token", "oauth"]
State = Literal["found", "not here", "cannot look", "unusable"]

# A header value: visible ASCII. A line break in it would be a second header.
_USABLE = re.compile(r"[\x21-\x7e]+")
MAX_SECRET = 16 * 1024  # Anthropic's are some 100 characters, a gateway's JWT a few thousand


@dataclass(frozen=True)
class Secret:
    """A secret that cannot be printed by accident. `reveal` is the only way to its text."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text

    @property
    def tail(self) -> str:
        """Enough to tell two keys apart, too little to use: `…wxyz`."""
        return f"…{self._text[-4:]}" if len(self._text) >= 24 else "…"

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__


@dataclass(frozen=True)
class Credential:
    """Something upstream may accept.

    `api_key` goes out as `x-api-key`, `auth_token` as Bearer, `oauth` as Bearer with the OAuth beta.
    `expires_at` is in epoch seconds, None where it is unknown or never. `stored_login` is true for what a login
    left on this machine (the Claude CLI's, an Anthropic profile). `follows_base_url` is true for what the
    environment holds: it goes wherever the environment's base URL points. Everything else goes to Anthropic's
    host or to loopback, and elsewhere only on the user's word.
    """

    kind: Kind
    secret: Secret
    source: str
    expires_at: float | None = None
    scopes: tuple[str, ...] = ()
    subscription: str | None = None
    workspace: str | None = None
    stored_login: bool = False
    follows_base_url: bool = False


@dataclass(frozen=True)
class Finding:
    """What a source answered: exactly one of its four states, with the reason and the way out in words.

    `stops` marks what the user handed over on purpose and cannot be used: falling through to another account
    in silence would be worse than an error, so the sources after it are not asked.
    """

    source: str
    state: State
    detail: str = ""  # where it looked, or why it cannot be used; never a secret
    hint: str | None = None
    credential: Credential | None = None
    stops: bool = False


class Source(ABC):
    """One place a credential may come from."""

    name: str
    description: str
    deadline: float = 6.0  # seconds after which `look` counts as "cannot look"
    way_out: str | None = None  # what the user can do once its credential has run out

    @abstractmethod
    def look(self) -> Finding:
        """Look now. May block (files, keychains, programs): the chain calls it off the loop. Raises nothing."""

    def stamp(self) -> object:
        """A value that differs as soon as looking again may answer differently. Costs a `stat` or two."""
        return None

    @property
    def moves(self) -> bool:
        """Whether `stamp` or `aged` can ever say something new."""
        return (type(self).stamp, type(self).aged) != (Source.stamp, Source.aged)

    def aged(self) -> bool:
        """Whether the last answer is too old to be believed, for what no `stamp` can watch."""
        return False

    def can_renew(self, credential: Credential) -> bool:
        """Whether the credential's owner can be asked for a fresh one."""
        return False

    def renew(self, credential: Credential) -> str | None:
        """Have the owner replace `credential`; None, or why that did not happen. Blocks like `look`."""
        return "it cannot be renewed"

    def not_here(self, detail: str) -> Finding:
        return Finding(self.name, "not here", detail)

    def cannot_look(self, detail: str, hint: str | None = None) -> Finding:
        return Finding(self.name, "cannot look", detail, hint)

    def unusable(self, detail: str, hint: str | None = None, *, stops: bool = False) -> Finding:
        return Finding(self.name, "unusable", detail, hint, stops=stops)


def flaw(text: str) -> str | None:
    """Why `text` cannot be a secret, in words that do not quote it; None if it can be one."""
    if not text:
        return "it is blank"
    if len(text) > MAX_SECRET:
        return f"it is longer than {MAX_SECRET} characters"
    if not _USABLE.fullmatch(text):
        return "it holds characters that no key has (spaces, line breaks, control or non-ASCII characters)"
    return None


def looks_like_oauth(text: str) -> bool:
    """Whether Anthropic made `text` as an OAuth access token, which goes out as Bearer and never as a key."""
    return text.startswith("sk-ant-oat")
