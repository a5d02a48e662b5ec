"""The conversation builder: a dialect adds messages in the client's order, and `finish` writes what upstream accepts.

Upstream is strict where OpenAI is not, and real histories break its rules. After `finish` these hold:

- system texts stand in `system`, or between turns where the model honours them there;
- user and assistant turns alternate, the first is the user's, and no text is blank;
- every tool call is answered in the very next turn, first in it, in the order of the calls;
- call ids are unique and in upstream's alphabet.

Source of the rules: Anthropic's "Messages API" and "Tool use" pages, and the texts of its 400s.
"""

from collections.abc import Iterable, Sequence

from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.content import ResultContent, text_blocks
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.names import tool_name
from claude_proxy.translate.pairing import Calls, Turn
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import Block, CacheControl, TextBlock, ToolResultBlock, ToolUseBlock

# Upstream refuses a turn without text; a full stop is the shortest text that is accepted.
PLACEHOLDER = "."
CONTINUE = "Continue."


class Conversation:
    """The turns so far and their tool calls.

    `param` is the path of all messages here and of one message in the methods, for errors and notes.
    """

    def __init__(self, draft: Draft, *, param: str) -> None:
        self._draft = draft
        self._param = param
        self._calls = Calls(draft, param)
        self._system: list[TextBlock] = []
        self._turns: list[Turn] = []
        self._native: list[tuple[str, list[TextBlock]]] = []  # system messages of the last turn, with their params
        self._behind: list[tuple[str, list[TextBlock]]] = []  # the same, directly behind an assistant turn

    # ------------------------------------------------------------------------------------------ messages

    def add_system(self, blocks: list[TextBlock], *, param: str) -> None:
        """Add system texts where they stand if the model honours them there, else at the top.

        Texts behind an assistant turn wait: if they turn out to be the last ones, they are sent as the user's.
        """
        if self._turns and self._turns[-1].role == "assistant":
            self._behind.append((param, blocks))
        elif self._turns and self._draft.model.system_messages and not self._calls.waiting:
            self._append("system", [TextBlock(block.text) for block in blocks])
            self._native.append((param, blocks))
        else:
            self._system.extend(blocks)
            if self._turns:
                self._warn_of_move(param)

    def add_user(self, blocks: Iterable[Block]) -> None:
        self._append("user", blocks)

    def add_assistant(self, blocks: Sequence[Block], *, thinking: Sequence[Block] = ()) -> None:
        """Add the assistant's blocks; `thinking` goes first, and only where these blocks begin a turn."""
        if blocks:
            begins = not self._turns or self._turns[-1].role != "assistant"
            self._append("assistant", [*thinking, *blocks] if begins else blocks)

    def _append(self, role: str, blocks: Iterable[Block]) -> None:
        """Add blocks to the last turn if it is `role`'s, else begin a new turn."""
        if self._behind:
            self._hoist(self._behind)
        if role == "user" and self._native:
            self._hoist_system()
        turns = self._turns
        if not turns or turns[-1].role != role:
            turns.append(Turn(role))
        turns[-1].blocks.extend(blocks)

    def _hoist_system(self) -> None:
        """Move a system turn to the top before a user turn follows it; upstream accepts only the assistant's there."""
        if self._turns and self._turns[-1].role == "system":
            self._turns.pop()
            self._hoist(self._native)
        self._native.clear()

    def _hoist(self, messages: list[tuple[str, list[TextBlock]]]) -> None:
        for param, blocks in messages:
            self._system.extend(blocks)
            self._warn_of_move(param)
        messages.clear()

    def _warn_of_move(self, param: str) -> None:
        self._draft.warn(param, "moved to the top: the model accepts no system message at this position")

    # ------------------------------------------------------------------------------------ calls and results

    def call(self, client_id: str, name: str, input_: Raw) -> ToolUseBlock:
        """The block of a tool call, for `add_assistant`; `name` and `client_id` are the client's."""
        return ToolUseBlock(self._calls.begin(client_id), self._sent_name(name), input_)

    def call_without_id(self, name: str, input_: Raw) -> ToolUseBlock:
        """The block of a call of the older form, whose result names the function instead of an id."""
        return ToolUseBlock(self._calls.begin_function(name), self._sent_name(name), input_)

    def _sent_name(self, name: str) -> str:
        sent = self._draft.tool_names[name] = tool_name(name)
        return sent

    def add_result(
        self,
        client_id: str,
        content: ResultContent,
        *,
        is_error: bool = False,
        control: CacheControl | None = None,
        param: str,
    ) -> None:
        """Add the result of the oldest open call with that id; `control` is a cache breakpoint behind it."""
        result = ToolResultBlock("", content, is_error, control)
        if self._calls.answer(client_id, result):
            self._append("user", ())  # the messages that follow this one belong behind the result
        elif self._calls.was_answered(client_id):
            self._draft.warn(param, f"a second result for the call '{client_id}' was left out")
        else:
            self._add_orphan(client_id, content, param)

    def add_result_by_name(self, name: str, content: ResultContent, *, param: str) -> None:
        """Add the result of the oldest open call without an id of the function `name`."""
        if self._calls.answer_function(name, ToolResultBlock("", content)):
            self._append("user", ())
        else:
            self._add_orphan(name, content, param)

    def _add_orphan(self, id_: str, content: ResultContent, param: str) -> None:
        self._draft.warn(param, f"no call '{id_}' precedes this result, so it was sent as text")
        blocks: list[Block] = [TextBlock(f"[tool result {id_}]")]
        blocks += text_blocks(content) if isinstance(content, str) else content or []
        self._append("user", blocks)

    # ------------------------------------------------------------------------------------------- at the end

    def finish(self) -> None:
        """Write `system` and `messages` of the draft."""
        draft, param = self._draft, self._param
        self._send_last_system_as_user()
        turns = self._calls.placed(self._turns) or [Turn("user", [self._last_system()])]
        if turns[0].role == "assistant":
            draft.note(
                "changed",
                param,
                f"the conversation began with the assistant: a user message '{PLACEHOLDER}' was inserted first",
            )
            turns.insert(0, Turn("user", [TextBlock(PLACEHOLDER)]))
        for turn in turns:
            if not turn.blocks:
                turn.blocks.append(TextBlock(PLACEHOLDER))
                draft.note("changed", param, f"an empty user message was sent as '{PLACEHOLDER}'")
        draft.body.system = self._system or None
        draft.body.messages = [anthropic.Message(turn.role, turn.blocks) for turn in turns]

    def _send_last_system_as_user(self) -> None:
        """A last instruction behind the assistant's turn asks for a reply; at the top it would ask for none."""
        behind, self._behind = self._behind, []
        for param, blocks in behind:
            self._append("user", blocks)
            self._draft.note(
                "changed", param, "a last system message after an assistant message was sent as a user message"
            )

    def _last_system(self) -> Block:
        if not self._system:
            raise InvalidRequest("No message has any content.", param=self._param, code="invalid_value")
        self._draft.note(
            "changed", self._param, "the last system message was sent as a user message: there was no user message"
        )
        return self._system.pop()


def end_with_user(draft: Draft, *, param: str) -> None:
    """Continue a last assistant turn where the model accepts that, else answer it with "Continue.".

    Whether it is accepted depends on thinking and on the output format: call this last.
    """
    last = draft.body.messages[-1]
    if last.role != "assistant":
        return
    if _continues_prefill(draft):
        text = last.content[-1]
        if isinstance(text, TextBlock):
            text.text = text.text.rstrip()  # "final assistant content cannot end with trailing whitespace"
        return
    draft.body.messages.append(anthropic.Message("user", [TextBlock(CONTINUE)]))
    draft.warn(
        param,
        f"{draft.model.id} does not continue a last assistant message here, so '{CONTINUE}' was added after it",
    )


def _continues_prefill(draft: Draft) -> bool:
    thinking, config = draft.body.thinking, draft.body.output_config
    thinks = isinstance(thinking, anthropic.Thinking) and thinking.type in ("adaptive", "enabled")
    formatted = config is not None and config.format is not None
    return draft.model.prefill and not thinks and not formatted
