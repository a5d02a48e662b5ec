import random
from collections.abc import Callable, Iterable

import msgspec
import pytest

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.translate.runs import RunKind, ends_with_newline, expected, find_run
from tests.support.events import event

TEXTS = (" tok", "é\n", 'a"b\\', "\\n\n", "𝄞", "", "x", "\u2028", "tab\t", "\x00")


def delta(kind: str, field: str, text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": f"{kind}_delta", field: text})


STARTED = event("message_start", message={"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3}})
STOPPED = (
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
    + event("message_stop")
)
KINDS: dict[RunKind, tuple[str, dict[str, object]]] = {
    "text": ("text", {"type": "text", "text": ""}),
    "input_json": ("partial_json", {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}),
    "thinking": ("thinking", {"type": "thinking", "thinking": "", "signature": ""}),
}


def stream(kind: RunKind, texts: Iterable[str]) -> bytes:
    field, block = KINDS[kind]
    begun = STARTED + event("content_block_start", index=0, content_block=block)
    return begun + b"".join(delta(kind, field, text) for text in texts) + STOPPED


def translated(reads: Iterable[bytes], *, short_way: bool = True) -> tuple[bytes, StreamTranslator]:
    translator = StreamTranslator(ChatReplyContext(model="m"), created=1)
    if not short_way:
        translator.reader.open_run = lambda: None  # type: ignore[method-assign]
    frames = b"".join(translator.feed(data) for data in reads)
    translator.close()
    return frames, translator


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[place : place + size] for place in range(0, len(data), size)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 110, 2048, 1 << 20])
def test_the_short_way_gives_what_the_plain_way_gives(kind: RunKind, size: int):
    texts = random.Random(size).choices(TEXTS, k=400)
    data = stream(kind, texts)
    plain, oracle = translated([data], short_way=False)
    short, translator = translated(cut(data, size))
    assert short == plain
    assert translator.reader._ends_with_newline == oracle.reader._ends_with_newline


def test_thinking_that_took_the_short_way_is_remembered_whole():
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
    found = find_run(one + padded, 0, expected("text", 0))
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
def test_whatever_differs_is_no_run(change: Callable[[bytes], bytes]):
    assert find_run(change(delta("text", "text", "hello")), 0, expected("text", 0)) is None


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
    dice = random.Random(seed)
    parts = [delta("text", "text", text) for text in dice.choices(TEXTS, k=dice.randrange(2, 12))]
    for _ in range(dice.randrange(1, 4)):
        parts.insert(dice.randrange(len(parts) + 1), dice.choice(ODD))
    data = stream("text", ()).removesuffix(STOPPED) + b"".join(parts) + b"\n\n" + STOPPED
    assert translated([data])[0] == translated([data], short_way=False)[0]


@pytest.mark.parametrize("text", ["", "a", "\n", "a\n", "\\n", "a\\n", "\\\n", "\\\\n", "n"])
def test_the_end_of_a_json_string_is_read_as_its_text_ends(text: str):
    assert ends_with_newline(msgspec.json.encode(text)) == text.endswith("\n")
