"""A Messages request under construction, and a note for everything that a translation changed.

Nothing here knows a dialect: a dialect reads its own request and fills a Draft through the functions of this room.
Classes that are made for each request are Structs: creating one costs a fifth of creating a dataclass.
"""

from typing import Literal

from msgspec import Raw, Struct, field

from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.models import Model
from claude_proxy.wire import anthropic

NoteKind = Literal["mapped", "changed", "emulated", "warning"]


class Note(Struct, frozen=True):
    """One thing the translation did. A `warning` means: asked for, and without its full effect."""

    kind: NoteKind
    param: str
    text: str


class Draft(Struct):
    """A Messages request under construction, the facts gathered for its reply, and the notes."""

    model: Model
    options: Options
    body: anthropic.MessagesRequest
    notes: list[Note] = []
    betas: list[str] = []
    extra_fields: dict[str, Raw] = {}  # top-level fields beside `body`'s own
    tool_names: dict[str, str] = {}  # a client's name -> the one sent
    custom_tools: set[str] = field(default_factory=set)  # names as the client knows them
    json_mode: bool = False  # the reply's text is to be one JSON value, without fence or prose
    stops: tuple[str, ...] = ()  # stop texts that upstream refuses; the reply is searched for them instead
    server_tools: bool = False  # the reply may hold blocks of tools that run upstream, and citations
    show_reasoning: bool = True

    @classmethod
    def begin(cls, model: Model, options: Options) -> "Draft":
        """An empty request to `model`, always a streamed one: replies are folded here where that is wanted."""
        draft = cls(model, options, anthropic.MessagesRequest(model=model.id, max_tokens=0, messages=[], stream=True))
        if model.instead_of is not None:
            draft.warn("model", f"{model.instead_of} is retired; {model.id} answers in its place")
        return draft

    def note(self, kind: NoteKind, param: str, text: str) -> None:
        """Record one change; in strict mode a warning is an InvalidRequest that names the parameter."""
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
        """Append one fixed sentence as the last system block; fixed, so that the prompt cache stays valid."""
        self.body.system = [*(self.body.system or ()), anthropic.TextBlock(text)]


class ReplyContext(Struct, frozen=True, kw_only=True):
    """What is needed to write a reply in this request's terms, for every dialect."""

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
        """The parameters without their full effect, each once, in order."""
        return tuple(dict.fromkeys(note.param for note in self.notes if note.kind == "warning"))
