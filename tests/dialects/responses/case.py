"""A translation case of the Responses API: a folder of plain files that anyone can read, and add.

    README            one line: what the case holds
    request.json      the client's request
    anthropic.json    what upstream must get for it; absent if the request is refused
    notes.txt         what the translation says it did, one note per line; absent if nothing
    upstream.sse      what upstream streams; after a pause it goes on in upstream.2.sse
    client.sse        what a streaming client must get
    response.json     what a client that does not stream must get; absent if the answer fails
    error.json        what must be said instead, where the request is refused or the answer fails

`python -m tests.dialects.responses.case NAME ...` writes the expected files of a new case, to be read before they are
kept.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.dialects.responses.context import ResponseTranslation
from claude_proxy.dialects.responses.dialect import RESPONSES, TranslatedResponse
from claude_proxy.errors import ProxyError
from claude_proxy.options import Options
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import SHIPPED, model_for, resolve
from tests.dialects.chat.case import CREATED, Cut, error_of, whole

CASES = Path(__file__).parent / "cases"
OWN_ID = "0123"


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

    def translated(self) -> TranslatedResponse:
        return translated_body(self.read("request.json"))

    def translation(self) -> ResponseTranslation:
        return self.translated().translations[0]

    def notes(self) -> str:
        return "".join(f"{note.kind} {note.param}: {note.text}\n" for note in self.translation().notes)

    def streamed(self, streams: list[bytes], cut: Cut = whole) -> tuple[bytes, ProxyError | None]:
        """The frames a client gets for upstream's `streams`, read in the pieces of `cut`, and why the answer failed."""
        answer = self.translated().streamed(id_=OWN_ID, created=CREATED)
        frames = b""
        try:
            for number, stream in enumerate(streams):
                if number:
                    assert answer.reader.paused
                    answer.resume()
                frames += b"".join(answer.feed(piece) for piece in cut(stream))
            answer.close()
        except ProxyError as failure:
            report = ErrorReport(failure.status, failure.type, failure.code, failure.text, failure.param)
            return frames + answer.error_event(report, "req_1"), failure
        return frames + answer.end(answer.usage), None

    def folded(self, streams: list[bytes], cut: Cut = whole) -> Any:
        """The response for upstream's `streams`. Raises ProxyError where the answer fails."""
        answer = self.translated().folded(id_=OWN_ID, created=CREATED)
        for number, stream in enumerate(streams):
            if number:
                answer.resume()
            for piece in cut(stream):
                answer.feed(piece)
        answer.close()
        return json.loads(answer.body())


def translated_body(
    body: bytes,
    *,
    options: Options | None = None,
    memory: ThinkingMemory | None = None,
    without_thinking: bool = False,
) -> TranslatedResponse:
    request = RESPONSES.read(body)
    target = resolve(request.model, {}, SHIPPED)
    return request.translate(
        model=model_for(target.id, {}, instead_of=target.instead_of),
        options=options or Options(),
        memory=memory,
        without_thinking=without_thinking,
    )


def translated(fields: dict[str, Any], **how: Any) -> ResponseTranslation:
    """The translation of `fields`; where they say nothing, a user says hi to claude-opus-4-8."""
    request = {"model": "claude-opus-4-8", "input": "Hi", **fields}
    return translated_body(json.dumps(request).encode(), **how).translations[0]


def sent(fields: dict[str, Any], **how: Any) -> Any:
    """The body that upstream gets for a request of `fields`, as in `translated`."""
    return json.loads(translated(fields, **how).body)


def events_in(frames: bytes) -> list[dict[str, Any]]:
    """The events of a stream; fails on a frame that is no event, or whose name is not its type."""
    *parts, rest = frames.decode().split("\n\n")
    assert rest == ""
    events = []
    for part in parts:
        name, _, data = part.partition("\ndata: ")
        assert "\n" not in data
        events.append(json.loads(data))
        assert name == f"event: {events[-1]['type']}"
    return events


def regenerate(case: Case) -> None:
    """Write the expected files of `case` from what the code does now."""
    for file in ("anthropic.json", "notes.txt", "client.sse", "response.json", "error.json"):
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
            _write(case, "response.json", case.folded(case.upstream()))


def _write(case: Case, file: str, value: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    case.path(file).write_bytes(text + b"\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        regenerate(Case(name))
