"""Runs of deltas without JSON: the short way for what most of a stream is.

A stream is mostly a run of equal events whose only variable part is one JSON string, and that string is valid in
our chunk as it stands: both sides are JSON. So a run is matched by one expression, its strings are found by
another, and one `join` makes the chunks: no event is decoded, no object is made. Whatever differs by a byte (a
further field, another delta, other white space) does not match and takes the plain way through `ReplyReader`,
which is the oracle of this one's tests.
"""

import functools
import re
from typing import Literal, NamedTuple

RunKind = Literal["text", "thinking", "input_json"]

_FIELD = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}
DELTA = b"event: content_block_delta\n"  # what the events of a run begin with
# A JSON string that is not empty, without surrogates: a lone one would be JSON and no text.
_STRING = r'"(?!")[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'


class Expected(NamedTuple):
    """The deltas of one block, as expressions: a run of them, and one with its string as the group."""

    kind: RunKind
    run: re.Pattern[bytes]
    one: re.Pattern[bytes]


@functools.lru_cache(maxsize=256)
def expected(kind: RunKind, index: int) -> Expected:
    """The `kind` deltas of block `index`."""
    # Upstream pads its events with spaces, inside the last brace or behind it.
    before = DELTA.decode() + f'data: {{"type":"content_block_delta","index":{index},'
    before += f'"delta":{{"type":"{kind}_delta","{_FIELD[kind]}":'
    event, one = (re.escape(before) + f"{string}" + r"\} *+\} *+\n\n" for string in (_STRING, f"({_STRING})"))
    return Expected(kind, re.compile(f"(?:{event})++".encode()), re.compile(one.encode()))


def find_run(data: bytes, start: int, deltas: Expected) -> tuple[list[bytes], int] | None:
    """The strings, as JSON, of the run of `deltas` at `start`, and the place behind it; None if none begins there."""
    one = deltas.one
    found = one.match(data, start)
    if found is None:
        return None
    end = found.end()
    if end < len(data):  # else it is one delta, as a paced stream brings them
        found = deltas.run.match(data, start) or found
        end = found.end()
    if not data.isascii():
        try:
            found[0].decode()
        except UnicodeDecodeError:
            return None
    return [found[1]] if found.re is one else one.findall(data, start, end), end


def ends_with_newline(literal: bytes) -> bool:
    """Whether the text of a JSON string ends with a line end."""
    if not literal.endswith(b'\\n"'):
        return False
    before = literal[:-2]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
