import random
from collections.abc import Callable, Iterable

import msgspec
import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.wire.delta_batches import DeltaKind, delta_pattern, match_run
from tests.support.messages_stream import event

TEXTS = (" tok", "é\n", 'a"b\\', "\\n\n", "𝄞", "", "x", "\u2028", "tab\t", "\x00")


def delta(kind: str, field: str, text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": f"{kind}_delta", field: text})


STARTED = event("message_start", message={"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3}})
STOPPED = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
    + event("message_stop")
)
KINDS: dict[DeltaKind, tuple[str, dict[str, object]]] = {
    "text": ("text", {"type": "text", "text": ""}),
    "input_json": ("partial_json", {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}),
    "thinking": ("thinking", {"type": "thinking", "thinking": "", "signature": ""}),
}


def stream(kind: DeltaKind, texts: Iterable[str]) -> bytes:
    field, block = KINDS[kind]
    begun = STARTED + event("content_block_start", index=0, content_block=block)
    return begun + b"".join(delta(kind, field, text) for text in texts) + STOPPED


def translated(reads: Iterable[bytes], *, batches: bool = True) -> tuple[bytes, StreamTranslator]:
    """The frames for what is read, up to a failure, and what made them."""
    translator = StreamTranslator(ChatReplyContext(model="m"), created=1)
    if not batches:
        translator.reader.batch_pattern = lambda: None  # type: ignore[method-assign]
    frames = b"".join(translator.feed(data) for data in reads)
    return frames, translator


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[pos : pos + size] for pos in range(0, len(data), size)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 110, 2048, 1 << 20])
def test_the_batches_gives_what_the_plain_way_gives(kind: DeltaKind, size: int):
    texts = random.Random(size).choices(TEXTS, k=400)
    data = stream(kind, texts)
    plain, _ = translated([data], batches=False)
    short, _ = translated(cut(data, size))
    assert short == plain
    assert short.endswith(b"}\n\n")


def test_thinking_that_took_the_batches_is_remembered_whole():
    begun = STARTED + event("content_block_start", index=0, content_block=KINDS["thinking"][1])
    thinking = b"".join(delta("thinking", "thinking", text) for text in ("one ", "two\n", "thrée"))
    signed = event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"})
    tool = event("content_block_start", index=1, content_block=KINDS["input_json"][1])
    data = begun + thinking + signed + event("content_block_stop", index=0) + tool + STOPPED
    turn = translated([data])[1].reader.remembered("claude", b"")
    assert turn is not None
    assert msgspec.to_builtins(turn.parts[0])["thinking"] == "one two\nthrée"


def test_a_padded_event_is_part_of_a_run():
    one = delta("text", "text", "hello")
    padded = one.replace(b'"}}\n', b'"}   }  \n')
    found = match_run(one + padded, 0, delta_pattern("text", 0))
    assert found == ([b'"hello"', b'"hello"'], len(one + padded))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"index":0', b'"index":1'),
        lambda data: data.replace(b'"}}', b'","more":1}}'),
        lambda data: data.replace(b"hello", b"hel\\ud800"),
        lambda data: data.replace(b"hello", b"hel\\x"),
        lambda data: data.replace(b"hello", b"hel\xff"),
        lambda data: data.replace(b"hello", b""),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b": ping\n\n" + data,
        lambda data: data[:-1],
    ],
)
def test_an_event_that_differs_is_no_run(change: Callable[[bytes], bytes]):
    assert match_run(change(delta("text", "text", "hello")), 0, delta_pattern("text", 0)) is None


ODD = (
    b"event: ping\ndata: {}\n\n",
    b"event: ping\rdata: {}\n\n",
    b'event: content_block_delta\ndata: {"type":"ping",\rdata: "more":1}\n\n',
    b": comment\n\n",
    b": comment\n",
    b"id: 1\n",
    b"\n",
    b"junk",
    b"data: x",
    b"data: x\n",
    delta("text", "text", "hello").replace(b"}}", b',"more":1}}'),
    delta("text", "text", "hello")[:-1],
    delta("text", "text", "hello")[:-20],
    delta("text", "text", "hello").replace(b"hello", b"h\xff"),
    delta("text", "text", ""),
    delta("text", "text", "event: content_block_delta\ndata: "),
    event("content_block_delta", index=1, delta={"type": "text_delta", "text": "other"}),
)


@pytest.mark.parametrize("seed", range(60))
def test_between_the_events_of_a_run_may_lie_anything(seed: int):
    generator = random.Random(seed)
    parts = [delta("text", "text", text) for text in generator.choices(TEXTS, k=generator.randrange(2, 12))]
    for _ in range(generator.randrange(1, 4)):
        parts.insert(generator.randrange(len(parts) + 1), generator.choice(ODD))
    data = stream("text", ()).removesuffix(STOPPED) + b"".join(parts) + b"\n\n" + STOPPED
    batched, plain = translated([data]), translated([data], batches=False)
    assert batched[0] == plain[0]
    assert batched[1].reader.status == plain[1].reader.status
