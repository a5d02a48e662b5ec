import gzip
import zlib

import pytest

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.transport.inflate import MAX_PART, Inflater

BOMB = bytes(40 * MAX_PART + 123)
EVEN = bytes(2 * MAX_PART)


def parts(inflater: Inflater, data: bytes) -> list[bytes]:
    """What is inflated from one piece of compressed data."""
    inflater.put(data)
    found = []
    while not inflater.needs_input:
        found.append(inflater.next_part())
    return found


@pytest.mark.parametrize(
    "compressed",
    [
        gzip.compress(BOMB, mtime=0),
        zlib.compress(BOMB),
        gzip.compress(EVEN, mtime=0),
        gzip.compress(b"", mtime=0),
        gzip.compress(b"a", mtime=0),
    ],
)
def test_a_body_is_inflated_whole_in_parts_of_bounded_size(compressed: bytes) -> None:
    inflater = Inflater()
    found = parts(inflater, compressed)
    assert b"".join(found) == zlib.decompress(compressed, wbits=47)
    assert max(map(len, found)) <= MAX_PART
    assert inflater.is_complete


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_a_body_may_come_in_pieces(size: int) -> None:
    inflater, compressed = Inflater(), gzip.compress(BOMB, mtime=0)
    found = [part for pos in range(0, len(compressed), size) for part in parts(inflater, compressed[pos : pos + size])]
    assert b"".join(found) == BOMB
    assert inflater.is_complete


def test_bytes_after_the_end_are_ignored() -> None:
    inflater = Inflater()
    assert b"".join(parts(inflater, gzip.compress(b"one", mtime=0) + b"two")) == b"one"
    assert parts(inflater, b"three") == [b""]


def test_a_body_that_is_cut_is_not_complete_and_an_empty_one_is() -> None:
    inflater = Inflater()
    assert inflater.is_complete
    parts(inflater, gzip.compress(b"abc", mtime=0)[:-9])
    assert not inflater.is_complete


def test_data_that_is_not_compressed_is_an_error() -> None:
    with pytest.raises(UpstreamDisconnected, match="broken"):
        parts(Inflater(), b"not compressed")
