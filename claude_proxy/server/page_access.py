"""Who may open the page when a key is required: a code that is valid once, and the session that it opens.

A browser cannot send the key when it opens an address. So `claude-proxy open` asks for a code with the key, the user
brings the code into the page, and the page exchanges it for a session token, which it sends with each request for data.
Both live in memory only, and open nothing but the page.
"""

import hmac
import secrets
import time
from collections.abc import Callable

CODE_LIFETIME = 300.0
SESSION_LIFETIME = 12 * 3600.0
MAX_SESSIONS = 8
MAX_ATTEMPTS = 5  # wrong ones, before the code is void
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without those that look alike: 59 bits in twelve


class PageAccess:
    """One outstanding code, and the sessions that codes have opened."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._code: str | None = None
        self._code_ends = 0.0
        self._attempts = 0
        self._sessions: dict[str, float] = {}  # token -> when it ends

    def new_code(self) -> str:
        """A code for one session; the one before becomes void."""
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
        self._code = "-".join(groups)
        self._code_ends, self._attempts = self._clock() + CODE_LIFETIME, 0
        return self._code

    def open_session(self, code: str) -> str | None:
        """A session token for `code`, which is used up; None for a wrong or an old code."""
        expected = self._code
        if expected is None or self._clock() >= self._code_ends:
            return None
        if not _equal(code.strip().upper(), expected):
            self._attempts += 1
            if self._attempts >= MAX_ATTEMPTS:
                self._code = None
            return None
        self._code = None
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[token] = self._clock() + SESSION_LIFETIME
        return token

    def is_session(self, token: str) -> bool:
        """Whether `token` is that of an open session."""
        now = self._clock()
        # Each is compared, in constant time: where the comparison ends must tell nothing about a token.
        found = [now < ends for known, ends in self._sessions.items() if _equal(token, known)]
        return any(found)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())
