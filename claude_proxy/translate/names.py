"""Tool names and call ids that upstream accepts, in place of those that it would refuse.

The result depends on the name alone, so it is the same in every request. It contains a hash and cannot be turned
back: the draft keeps the client's names.
"""

import hashlib
import re

# The documentation says 64 characters, the API takes 128; the stricter one is safe everywhere.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_BAD = re.compile(r"[^a-zA-Z0-9_-]")
_HASH = 6


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]


def tool_name(name: str) -> str:
    """`name` if upstream accepts it, else a name made from it."""
    if _NAME.fullmatch(name):
        return name
    return f"{_BAD.sub('_', name)[: 64 - 1 - _HASH]}_{_digest(name)}"


def call_id(id_: str) -> str:
    """`id_` if upstream accepts it, else an id made from it; different ids stay different."""
    if _ID.fullmatch(id_):
        return id_
    return f"{_BAD.sub('_', id_)}_{_digest(id_)}"
