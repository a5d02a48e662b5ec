"""Tool calls and their results: ids that upstream takes, and each call answered in the very next turn.

Upstream refuses an id that occurs twice, a call whose result does not follow at once, and a result without its
call. Histories have all three: clients number their calls from 0 in every turn, abort turns, and drop old turns.
"""

from collections import deque

from msgspec import Struct

from claude_proxy.translate.draft import Draft
from claude_proxy.translate.names import call_id
from claude_proxy.wire.anthropic import Block, ToolResultBlock, ToolUseBlock

NO_RESULT = "No result was provided."

_FORMER_FUNCTION = "former_function_"


class Turn(Struct):
    """One message of the conversation that goes upstream."""

    role: str
    blocks: list[Block] = []


class Calls:
    """The tool calls of a conversation, in the order in which its messages are read."""

    def __init__(self, draft: Draft, param: str) -> None:
        self._draft = draft
        self._param = param  # of all messages, for notes
        self._used: set[str] = set()  # ids sent
        self._open: dict[str, deque[str]] = {}  # client's id -> ids sent that have no result yet
        self._closed: set[str] = set()  # client's ids that were answered
        self._open_functions: dict[str, deque[str]] = {}  # the same for the older functions, by name
        self._results: dict[str, ToolResultBlock] = {}  # id sent -> its result

    def begin(self, client_id: str) -> str:
        """The id to send for the call that the client calls `client_id`."""
        sent = self._new_id(client_id or "call")
        if sent != client_id:
            self._draft.note("changed", self._param, f"the call id '{client_id}' was sent as '{sent}'")
        self._open.setdefault(client_id, deque()).append(sent)
        return sent

    def begin_function(self, name: str) -> str:
        """The id to send for a call of the older form, which has no id: its result names the function."""
        sent = self._new_id(f"{_FORMER_FUNCTION}{len(self._used)}")
        self._open_functions.setdefault(name, deque()).append(sent)
        return sent

    def _new_id(self, wanted: str) -> str:
        """`wanted` in upstream's alphabet, with a number if that id was used before."""
        base = sent = call_id(wanted)
        number = 2
        while sent in self._used:
            sent = f"{base}_{number}"
            number += 1
        self._used.add(sent)
        return sent

    def answer(self, client_id: str, result: ToolResultBlock) -> bool:
        """Record a result for the oldest open call with that id; False if there is none."""
        if not self._answer(self._open.get(client_id), result):
            return False
        self._closed.add(client_id)
        return True

    def answer_function(self, name: str, result: ToolResultBlock) -> bool:
        """Record a result for the oldest open call of that function; False if there is none."""
        return self._answer(self._open_functions.get(name), result)

    def _answer(self, waiting: deque[str] | None, result: ToolResultBlock) -> bool:
        if not waiting:
            return False
        sent = waiting.popleft()
        result.tool_use_id = sent
        self._results[sent] = result
        return True

    def was_answered(self, client_id: str) -> bool:
        return client_id in self._closed

    @property
    def waiting(self) -> bool:
        """Whether a call has no result so far."""
        return any(self._open.values()) or any(self._open_functions.values())

    def placed(self, turns: list[Turn]) -> list[Turn]:
        """`turns` with each result where upstream wants it: first in the turn after its call, in the calls' order."""
        results: list[Block] = []
        for turn in turns:
            turn.blocks[:0] = results  # a turn with calls is followed by the user's
            results = [self._result(block.id) for block in turn.blocks if isinstance(block, ToolUseBlock)]
        return [*turns, Turn("user", results)] if results else turns

    def _result(self, sent: str) -> ToolResultBlock:
        if (result := self._results.get(sent)) is not None:
            return result
        self._draft.warn(
            self._param, f"the call '{sent}' has no result in the history, so an error result was put in its place"
        )
        return ToolResultBlock(sent, NO_RESULT, is_error=True)
