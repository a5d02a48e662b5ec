"""Filters on the text of an answer while it streams: blank stop texts, a JSON object without its wrapping, and
the one text inside a custom tool's JSON. Each takes text as it comes (`feed`) and keeps back no more than it must.
"""

import re
from typing import Protocol

import msgspec

from claude_proxy.wire.decoding import repaired

# Text before the first brace of an answer that was asked to be JSON; more than that is no preamble.
MAX_PREAMBLE = 16 * 1024


class TextFilter(Protocol):
    """`feed` returns the text that may go on, `close` what was kept back; `over` means: nothing more will."""

    over: bool

    def feed(self, text: str) -> str: ...

    def close(self) -> str: ...


class StopFinder:
    """Cuts the text before the first of some stop texts; holds back only what could be the start of one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self.over = False
        self._stops = stops
        self._kept = ""
        self._longest = max(len(stop) for stop in stops)

    def feed(self, text: str) -> str:
        if self.over:
            return ""
        text = self._kept + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.over = True
            self._kept = ""
            return text[: min(found)]
        keep = self._started(text)
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _started(self, text: str) -> int:
        """How many characters at the end may be the beginning of a stop text."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0

    def close(self) -> str:
        kept, self._kept = self._kept, ""
        return kept


_OBJECT = re.compile(r'\{\s*["}]')
_STRUCTURE = re.compile(r'["{}\[\]]')
_STRING_END = re.compile(r'["\\]')


class JsonObjectFinder:
    """Passes the first JSON object of the text and nothing else: no fence, no prose around it.

    Text in which none begins passes unchanged, at the end or when it is too long for a preamble: then it is no
    JSON, and nobody may pretend.
    """

    def __init__(self) -> None:
        self.over = False
        self._before: str | None = ""  # what came before the object; None once it has begun or was given up
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> str:
        if self.over:
            return ""
        if self._before is not None:
            text = self._before + text
            start = _OBJECT.search(text)
            if start is None and len(text) <= MAX_PREAMBLE:
                self._before = text
                return ""
            self._before = None
            if start is None:
                return text
            self._depth = 1
            return "{" + self._inside(text[start.start() + 1 :])
        return self._inside(text) if self._depth else text

    def _inside(self, text: str) -> str:
        """`text` up to the brace that closes the object."""
        place = 0
        if self._escaped and text:
            self._escaped = False
            place = 1
        while found := (_STRING_END if self._in_string else _STRUCTURE).search(text, place):
            place = found.end()
            match found[0]:
                case '"':
                    self._in_string = not self._in_string
                case "\\":
                    self._escaped = place == len(text)
                    place += 1
                case "{" | "[":
                    self._depth += 1
                case _:
                    self._depth -= 1
            if not self._depth:
                self.over = True
                return text[:place]
        return text

    def close(self) -> str:
        before, self._before = self._before or "", None
        return before


_CUSTOM_START = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# Characters and escape sequences of a JSON string that are whole: half of a surrogate pair is not, as long as the
# other half may follow.
_WHOLE = re.compile(
    r"""(?:[^"\\]+
    |\\[^u]
    |\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?=[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F]))
    |\\u(?![dD][89abAB])[0-9a-fA-F]{4}
    |\\u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])
    )*""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_read_text = msgspec.json.Decoder(str).decode
_read_custom = msgspec.json.Decoder(dict[str, str]).decode


class CustomInput:
    """The text inside a custom tool's `{"input": "…"}`, unescaped piece by piece as its JSON arrives."""

    def __init__(self) -> None:
        self.over = False
        self._begun = False
        self._waiting = ""

    def feed(self, fragment: str) -> str:
        if self.over:
            return ""
        self._waiting += fragment
        if not self._begun:
            start = _CUSTOM_START.match(self._waiting)
            if start is None:
                return ""
            self._begun = True
            self._waiting = self._waiting[start.end() :]
        whole = _WHOLE.match(self._waiting)
        cut = whole.end() if whole else 0
        ready, self._waiting = self._waiting[:cut], self._waiting[cut:]
        self.over = self._waiting.startswith('"')
        return _unescaped(ready)

    def close(self) -> str:
        """What is left when the JSON has another shape than we asked for: its own text, nothing lost."""
        left, self._waiting = self._waiting, ""
        if self.over or not left:
            return ""
        if self._begun:
            return _unescaped(left)
        try:
            return next(iter(_read_custom(left).values()), left)
        except msgspec.MsgspecError:
            return left


def _unescaped(inner: str) -> str:
    return _ESCAPE.sub(_character, inner) if "\\" in inner else inner


def _character(found: re.Match[str]) -> str:
    """The character that an escape sequence means; a wrong sequence is left as it stands."""
    try:
        return _read_text(repaired(b'"%b"' % found[0].encode()))
    except msgspec.MsgspecError:
        return found[0]
