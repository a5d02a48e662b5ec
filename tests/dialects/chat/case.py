"""A translation case: a folder of plain files that anyone can read, and add.

    README            one line: what the case holds
    openai.json       the client's request
    anthropic.json    what upstream must get for it; absent if the request is refused
    notes.txt         what the translation says it did, one note per line; absent if nothing
    upstream.sse      what upstream streams; after a pause it goes on in upstream.2.sse
    client.sse        what a streaming client must get
    completion.json   what a client that does not stream must get; absent if the answer fails
    error.json        what must be said instead, where the request is refused or the answer fails

`python -m tests.dialects.chat.case NAME ...` writes the expected files of a new case, to be read before they are kept.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from claude_proxy.dialects.chat.context import ChatTranslation
from claude_proxy.dialects.chat.fold import CompletionFold, completion
from claude_proxy.dialects.chat.request import to_messages_request
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.errors import ProxyError
from claude_proxy.options import Options
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import SHIPPED, model_for, resolve
from claude_proxy.wire.chat_request import read_chat_request

CASES = Path(__file__).parent / "cases"
WHOLE_ANSWERS = sorted(path.parent.name for path in CASES.glob("*/completion.json"))
CREATED = 1_795_305_600

Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterable[bytes]:
    """`data` in one read."""
    return [data]


@dataclass(frozen=True)
class Case:
    """The files of one folder, and what the translation makes of them."""

    name: str

    def path(self, file: str) -> Path:
        return CASES / self.name / file

    def has(self, file: str) -> bool:
        return self.path(file).exists()

    def json(self, file: str) -> Any:
        return json.loads(self.path(file).read_text("utf-8"))

    def read(self, file: str) -> bytes:
        return self.path(file).read_bytes()

    def upstream(self) -> list[bytes]:
        """What upstream streams: the answer, and after each pause its continuation."""
        more = sorted(self.path("").glob("upstream.?.sse"))
        return [self.read("upstream.sse"), *(path.read_bytes() for path in more)]

    def translation(self) -> ChatTranslation:
        chat, unknown = read_chat_request(self.read("openai.json"))
        target = resolve(chat.model, {}, SHIPPED)
        model = model_for(target.id, {}, instead_of=target.instead_of)
        return to_messages_request(chat, unknown, model=model, options=Options())

    def notes(self) -> str:
        return "".join(f"{note.kind} {note.param}: {note.text}\n" for note in self.translation().notes)

    def streamed(self, streams: list[bytes], cut: Cut = whole) -> tuple[bytes, ProxyError | None]:
        """The frames a client gets for upstream's `streams`, read in the pieces of `cut`, and why they ended early."""
        translator = StreamTranslator(self.translation().reply, created=CREATED)
        frames = b""
        try:
            for number, stream in enumerate(streams):
                if number:
                    assert translator.reader.paused
                    translator.resume()
                frames += b"".join(translator.feed(piece) for piece in cut(stream))
            translator.close()
        except ProxyError as failure:
            return frames, failure
        return frames + translator.end(translator.usage), None

    def folded(self, streams: list[bytes], cut: Cut = whole) -> Any:
        """The completion for upstream's `streams`. Raises ProxyError where the answer fails."""
        context = self.translation().reply
        fold = CompletionFold(context)
        for number, stream in enumerate(streams):
            if number:
                fold.resume()
            for piece in cut(stream):
                fold.feed(piece)
        fold.close()
        return json.loads(completion([fold], context, created=CREATED))


def translated(
    fields: dict[str, Any],
    *,
    options: Options | None = None,
    memory: ThinkingMemory | None = None,
    without_thinking: bool = False,
) -> ChatTranslation:
    """The translation of `fields`; where they say nothing, a user says hi to claude-opus-4-8."""
    request = {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "Hi"}], **fields}
    chat, unknown = read_chat_request(json.dumps(request).encode())
    target = resolve(chat.model, {}, SHIPPED)
    return to_messages_request(
        chat,
        unknown,
        model=model_for(target.id, {}, instead_of=target.instead_of),
        options=options or Options(),
        memory=memory,
        without_thinking=without_thinking,
    )


def sent(fields: dict[str, Any], **how: Any) -> Any:
    """The body that upstream gets for a request of `fields`, as in `translated`."""
    return json.loads(translated(fields, **how).body)


def error_of(failure: ProxyError) -> dict[str, Any]:
    """What a client is told about `failure`, and with which status."""
    return {
        "status": failure.status,
        "message": failure.text,
        "type": failure.type,
        "param": failure.param,
        "code": failure.code,
    }


def regenerate(case: Case) -> None:
    """Write the expected files of `case` from what the code does now."""
    for file in ("anthropic.json", "notes.txt", "client.sse", "completion.json", "error.json"):
        case.path(file).unlink(missing_ok=True)
    try:
        translation = case.translation()
    except ProxyError as refusal:
        _write(case, "error.json", error_of(refusal))
        return
    _write(case, "anthropic.json", json.loads(translation.body))
    if translation.notes:
        case.path("notes.txt").write_text(case.notes(), "utf-8")
    if case.has("upstream.sse"):
        frames, failure = case.streamed(case.upstream())
        case.path("client.sse").write_bytes(frames)
        if failure is not None:
            _write(case, "error.json", error_of(failure))
        else:
            _write(case, "completion.json", case.folded(case.upstream()))


def _write(case: Case, file: str, value: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    case.path(file).write_bytes(text + b"\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        regenerate(Case(name))
