"""What a credential is, and what a source of credentials answers."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

from claude_proxy.redaction import redactor

Kind = Literal["api_key", "auth_token", "oauth"]
State = Literal["found", "not here", "cannot look", "unusable"]

# A header value: visible ASCII. A line break in it would start a second header.
_USABLE = re.compile(r"[\x21-\x7e]+")
MAX_SECRET = 16 * 1024  # Anthropic's are some 100 characters, a gateway's JWT a few thousand
_MAX_TEXT = 500  # of a detail or a hint: a line for a person


@dataclass(frozen=True)
class Secret:
    """A secret that cannot be printed by accident. `reveal` is the only way to its text."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text

    @property
    def tail(self) -> str:
        """The last characters, as in `…wxyz`: enough to tell two keys apart, too little to use."""
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
    environment holds: it goes to the host that the environment's base URL names. Everything else goes to
    Anthropic's host or to loopback, and to another host only if the user's configuration names that host.
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
    """What a source answered: exactly one of its four states, with the reason and a hint in words.

    `detail` says where it looked, or why the credential cannot be used; it never holds a secret. `detail` and
    `hint` are made printable here, so that a path or another program's error text can be shown as it is.
    `stops` marks what the user configured on purpose and cannot be used: the sources after it are not asked,
    because using another account without a word would be worse than an error.
    `ttl` is the time in seconds after which the source should be asked again, for answers that can change
    without a change of the source's fingerprint; None means never.
    """

    source: str
    state: State
    detail: str = ""
    hint: str | None = None
    credential: Credential | None = None
    stops: bool = False
    ttl: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", printable(self.detail))
        if self.hint is not None:
            object.__setattr__(self, "hint", printable(self.hint))


class Source(ABC):
    """One place a credential may come from."""

    name: str
    description: str
    look_timeout: float = 6.0  # seconds after which `look` counts as "cannot look"
    login_hint: str | None = None  # what the user can do once its credential has expired

    @abstractmethod
    def look(self) -> Finding:
        """Look now. May block (files, keychains, programs): the chain calls it in a thread. Raises nothing."""

    def fingerprint(self) -> object:
        """A value that changes as soon as `look` may answer differently. Costs a `stat` or two."""
        return None

    @property
    def has_fingerprint(self) -> bool:
        return type(self).fingerprint is not Source.fingerprint

    def can_renew(self, credential: Credential) -> bool:
        """Whether the program that owns `credential` can be made to renew it."""
        return False

    def renew(self, credential: Credential) -> str | None:
        """Make the owner renew `credential`; None, or the reason why that did not happen. Blocks like `look`."""
        return "it cannot be renewed"

    def not_here(self, detail: str, *, ttl: float | None = None) -> Finding:
        return Finding(self.name, "not here", detail, ttl=ttl)

    def cannot_look(self, detail: str, hint: str | None = None, *, ttl: float | None = None) -> Finding:
        return Finding(self.name, "cannot look", detail, hint, ttl=ttl)

    def unusable(
        self, detail: str, hint: str | None = None, *, stops: bool = False, ttl: float | None = None
    ) -> Finding:
        return Finding(self.name, "unusable", detail, hint, stops=stops, ttl=ttl)


def flaw(text: str) -> str | None:
    """Why `text` cannot be a secret, in words that do not quote it; None if it can be one."""
    if not text:
        return "it is blank"
    if len(text) > MAX_SECRET:
        return f"it is longer than {MAX_SECRET} characters"
    if not _USABLE.fullmatch(text):
        return "it holds characters that no key has (spaces, line breaks, control or non-ASCII characters)"
    return None


def printable(text: str) -> str:
    """`text` as one line of bounded length for a terminal, a log or JSON.

    Anything that looks like a secret is replaced; control, format and surrogate characters are escaped.
    """
    line = redactor.redact(" ".join(text.splitlines()))
    if len(line) > _MAX_TEXT:
        line = f"{line[:_MAX_TEXT]}…"
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def looks_like_oauth(text: str) -> bool:
    """Whether `text` has the form of Anthropic's OAuth access tokens, which go out as Bearer and never as a key."""
    return text.startswith("sk-ant-oat")
