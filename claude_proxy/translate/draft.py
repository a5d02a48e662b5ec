"""A translation on its way: what it starts from, what it has become, and a note for everything it changed.

What is made for each request is a Struct: made in C, at a fifth of a dataclass's cost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Raw, Struct, field

from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.models import Model
from claude_proxy.wire import anthropic
from claude_proxy.wire.chat_request import ChatRequest

NoteKind = Literal["mapped", "changed", "emulated", "warning"]


class Note(Struct, frozen=True):
    """One thing the translation did. A `warning` means: asked for, and not or not wholly in effect."""

    kind: NoteKind
    param: str
    text: str


class Draft(Struct):
    """The request being built, the facts gathered for the answer, and the notes."""

    chat: ChatRequest
    model: Model
    options: Options
    body: anthropic.MessagesRequest
    notes: list[Note] = []
    betas: list[str] = []
    extra_fields: dict[str, Raw] = {}  # top-level fields beside `body`'s own
    tool_names: dict[str, str] = {}  # a client's name -> the one sent
    custom_tools: set[str] = field(default_factory=set)  # names as the client knows them
    legacy_functions: bool = False
    json_mode: bool = False  # the answer's text is to be one JSON object, unfenced
    stops: tuple[str, ...] = ()  # stop texts upstream refuses, looked for in the answer instead
    server_tools: bool = False  # the answer may hold blocks of tools that run upstream, and citations
    show_reasoning: bool = True
    memory: ThinkingMemory | None = None

    def note(self, kind: NoteKind, param: str, text: str) -> None:
        """Write down one change; with `strict` set, a warning is a refusal that names the parameter."""
        if kind == "warning" and self.options.strict:
            raise InvalidRequest(
                f"'{param}': {text}, and strict mode is on.", param=param, code="unsupported_parameter"
            )
        self.notes.append(Note(kind, param, text))

    def warn(self, param: str, text: str) -> None:
        self.note("warning", param, text)

    def add_beta(self, name: str) -> None:
        if name not in self.betas:
            self.betas.append(name)

    def add_system(self, text: str) -> None:
        """Append one fixed sentence as the last system block; fixed, so that the prompt cache survives."""
        self.body.system = [*(self.body.system or ()), anthropic.TextBlock(text)]


class ReplyContext(Struct, frozen=True, kw_only=True):
    """What is needed to write a reply in this request's terms, whatever the dialect."""

    client_names: dict[str, str] = {}  # the name sent -> the client's
    custom_tools: frozenset[str] = frozenset()  # client's names
    json_mode: bool = False
    stops: tuple[str, ...] = ()
    server_tools: bool = False
    show_reasoning: bool = True


class Translation(Struct, frozen=True, kw_only=True):
    """A Messages request, ready to send, with everything known about it."""

    body: bytes
    model: Model
    choices: int
    betas: tuple[str, ...]
    notes: tuple[Note, ...]
    reply: ReplyContext
    prefix: bytes  # digest of everything before the reply; empty where thinking is not remembered

    @property
    def warnings(self) -> tuple[str, ...]:
        """The parameters that had no or not their whole effect, each once, in order."""
        return tuple(dict.fromkeys(note.param for note in self.notes if note.kind == "warning"))


Apply = Callable[[Draft], None]


@dataclass(frozen=True)
class Parameter:
    """The fate of one OpenAI parameter: a row of the table that README, `explain` and a test read.

    `theirs` says what Anthropic's own OpenAI-compatible endpoint does with it, after its documentation.
    """

    name: str
    fate: Literal["mapped", "emulated", "accepted", "ignored", "refused"]
    rule: str
    theirs: str
    apply: Apply | None = None
