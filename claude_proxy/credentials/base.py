"""What a credential is, and what a source of credentials answers."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

Kind = Literal["api_key", "auth_token", "oauth"]
State = Literal["found", "not here", "cannot look", "unusable"]


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
    `expires_at` is in epoch seconds, None where it is unknown or never. `stored_login` is true for what belongs
    to the Claude CLI's own login: it is sent to Anthropic's host or loopback, elsewhere only on the user's word.
    """

    kind: Kind
    secret: Secret
    source: str
    expires_at: float | None = None
    scopes: tuple[str, ...] = ()
    subscription: str | None = None
    stored_login: bool = False


@dataclass(frozen=True)
class Finding:
    """What a source answered: exactly one of its four states, with the reason and the way out in words."""

    source: str
    state: State
    detail: str = ""  # where it looked, or why it cannot be used; never a secret
    hint: str | None = None
    credential: Credential | None = None


class Source(Protocol):
    """One place a credential may come from. `look` may block (files, keychains): the chain calls it off the loop."""

    name: str
    description: str

    def look(self) -> Finding: ...
