"""Removes secrets from text: what looks like one of Anthropic's, and the exact credentials that were sent."""

import json
import re
from collections.abc import Mapping

# Every Anthropic secret starts like this (API key, OAuth access and refresh token); the rest of the line may
# hold another one, so only the token itself is replaced.
_SECRET = re.compile(r"sk-ant-[A-Za-z0-9]+-[A-Za-z0-9_\-]+|(?i:(?<=bearer )[A-Za-z0-9._~+/\-]{12,}=*)")

MIN_LENGTH = 8  # of a secret that is removed by its value; a shorter one would also match ordinary words
MAX_SECRETS = 16  # a login that is renewed every few hours replaces its secret; upstream may quote the one before


class Redactor:
    """Removes secrets by form, and by value those that it was told.

    By value, because a gateway's token has no known form. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()  # the newest last
        self._forms: tuple[str, ...] = ()  # the secrets as they stand in text and in JSON

    def add(self, secret: str) -> None:
        """Remove `secret` from now on. Only the last MAX_SECRETS are remembered."""
        if len(secret) < MIN_LENGTH:
            return
        others = tuple(other for other in self._secrets if other != secret)
        self._secrets = (*others, secret)[-MAX_SECRETS:]
        forms = {form for each in self._secrets for form in (each, json.dumps(each)[1:-1], each.replace("/", "\\/"))}
        self._forms = tuple(sorted(forms, key=len, reverse=True))  # a secret may contain another one

    def redact(self, text: str) -> str:
        """`text` with each secret replaced by `***`, or by `sk-ant-***` if it looks like Anthropic's."""
        if "sk-ant-" in text or "bearer " in text.lower():
            text = _SECRET.sub("sk-ant-***", text)
        for form in self._forms:
            if form in text:
                text = text.replace(form, "***")
        return text

    def redact_bytes(self, data: bytes) -> bytes:
        """`data` with each secret replaced; all other bytes stay as they are."""
        return self.redact(data.decode("latin-1")).encode("latin-1")

    def redact_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """`headers` with each secret in a value replaced, if one of those that it was told is in any value.

        Called for every reply of upstream's, so it checks all values together, which takes about 1 us.
        """
        text = "\n".join(headers.values())
        for form in self._forms:
            if form in text:
                return {name: self.redact(value) for name, value in headers.items()}
        return headers


# One per process: the log, error bodies, response headers and `status` must all know the same secrets.
redactor = Redactor()
