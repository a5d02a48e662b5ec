"""The fast path for what most of a stream is: runs of equal deltas, found without decoding their JSON.

A run of deltas of one block differs only in one JSON string per event, and that string is valid in our own frames as
it stands: both sides are JSON. One regular expression matches the run, a second one finds its strings. An event
that differs by a byte (another field, another delta, other white space) does not match and takes the plain path, which
decodes it; the tests compare both paths.
"""

import functools
import re
from typing import Literal, NamedTuple

DeltaKind = Literal["text", "thinking", "input_json"]

_FIELD = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}
DELTA = b"event: content_block_delta\n"  # how each event of a run begins
# A JSON string that is not empty and holds no surrogate: a lone surrogate is valid JSON but not valid text.
_STRING = r'"(?!")[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'


class DeltaPattern(NamedTuple):
    """Matches deltas of one block: `run` matches one or more, `one` a single one, whose string is its group."""

    kind: DeltaKind
    run: re.Pattern[bytes]
    one: re.Pattern[bytes]


@functools.lru_cache(maxsize=256)
def delta_pattern(kind: DeltaKind, index: int) -> DeltaPattern:
    """The pattern for deltas of `kind` of the block that upstream numbers `index`."""
    # Upstream pads its events with spaces, inside the last brace or behind it.
    before = DELTA.decode() + f'data: {{"type":"content_block_delta","index":{index},'
    before += f'"delta":{{"type":"{kind}_delta","{_FIELD[kind]}":'
    event, one = (re.escape(before) + f"{string}" + r"\} *+\} *+\n\n" for string in (_STRING, f"({_STRING})"))
    return DeltaPattern(kind, re.compile(f"(?:{event})++".encode()), re.compile(one.encode()))


def match_run(data: bytes, start: int, pattern: DeltaPattern) -> tuple[list[bytes], int] | None:
    """The JSON strings of the run at offset `start`, and the offset behind it; None if no run begins there."""
    one = pattern.one
    found = one.match(data, start)
    if found is None:
        return None
    end = found.end()
    if end < len(data):  # otherwise it is a single delta, as a paced stream sends them
        found = pattern.run.match(data, start) or found
        end = found.end()
    if not data.isascii():
        try:
            found[0].decode()
        except UnicodeDecodeError:
            return None
    return [found[1]] if found.re is one else one.findall(data, start, end), end
