"""Records, while a reply is read, what a plain OpenAI client cannot send back: the signed thinking of a tool turn."""

from msgspec import Raw

from claude_proxy.translate.memory import TEXT, Part, RememberedTurn
from claude_proxy.wire.anthropic import RedactedThinkingBlock, ThinkingBlock

# The thinking of one turn that is kept for the next. Leaving out more is always allowed.
MAX_THINKING = 4 * 1024 * 1024


class TurnRecorder:
    """Takes the blocks of one reply in their order; `calls` are the ids of its tool calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._parts: list[Part] = []
        self._in_text = False
        self._thinking: dict[int, list[str]] = {}  # of the thinking blocks that are open, by index
        self._size = 0  # of the thinking so far, in characters
        self._has_blocks = False  # some block was seen that a plain client cannot send back

    @property
    def texts(self) -> int:
        """How many runs of text there are, apart from each other by other blocks."""
        return sum(part is TEXT for part in self._parts)

    def text(self) -> None:
        """A text block says something; adjacent text blocks are one text, as a client joins them."""
        if not self._in_text:
            self._in_text = True
            self._parts.append(TEXT)

    def call(self, id_: str) -> None:
        self._in_text = False
        self.calls.append(id_)
        self._parts.append(id_)

    def other(self, *, only_collected: bool) -> None:
        """A block of another kind begins; `only_collected` if it must come back, and only the collector has it."""
        self._in_text = False
        self._has_blocks = self._has_blocks or only_collected

    def redacted(self, data: str) -> None:
        self._keep(RedactedThinkingBlock(data), len(data))

    def thinking(self, index: int, text: str) -> None:
        self._size += len(text)
        if self._size <= MAX_THINKING:
            self._thinking.setdefault(index, []).append(text)

    def thinking_ended(self, index: int, signature: str) -> None:
        """Thinking without a signature cannot go back."""
        texts = self._thinking.pop(index, [])
        if signature:
            self._keep(ThinkingBlock("".join(texts), signature), len(signature))

    def _keep(self, part: ThinkingBlock | RedactedThinkingBlock, size: int) -> None:
        self._size += size
        self._has_blocks = True
        if self._size <= MAX_THINKING:
            self._parts.append(part)

    @property
    def _is_needed(self) -> bool:
        return bool(self.calls) and self._has_blocks and self._size <= MAX_THINKING

    def turn(self, model: str, prefix: bytes) -> RememberedTurn | None:
        """The turn as it must go back to `model`; None where a client can send it back itself, or nothing can."""
        if not self._is_needed or self.texts > 1:
            return None  # a client joins its texts: where one ended is not known any more
        return RememberedTurn(model, prefix, tuple(self._parts), tuple(self.calls))

    def collected_turn(self, model: str, prefix: bytes, blocks: list[Raw], text_length: int) -> RememberedTurn | None:
        """As `turn`, for a reply whose blocks were collected."""
        if not self._is_needed:
            return None
        joined = text_length + 2 * self.texts  # a client's text has a blank line between two texts
        return RememberedTurn(model, prefix, tuple(blocks), tuple(self.calls), joined)
