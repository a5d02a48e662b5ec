"""Filters on the text of an answer while it streams: blank stop texts, JSON without the prose around it, and the
one text inside a custom tool's JSON. Each takes text as it comes (`feed`) and holds back a bounded part of it.
"""

import re
from typing import Protocol

import msgspec

from claude_proxy.wire.decoding import repaired

# Of an answer that was asked to be JSON: the most text without a JSON value that is held back.
MAX_PREAMBLE = 16 * 1024
# Behind other text: so many characters of valid JSON are not an example that breaks off (`{"x": ...}`).
MAX_HELD = 4 * 1024


class TextFilter(Protocol):
    """`feed` returns the text to pass on, `close` what was held back; once `over` is set, nothing more follows."""

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
        found = [pos for stop in self._stops if (pos := text.find(stop)) >= 0]
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


_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR_START = frozenset("-0123456789tfn")
_SCALAR = re.compile(r"[\w.+-]*")
_WHOLE_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = frozenset("0123456789abcdefABCDEF")
_VALUE, _KEY = "value", "key"


class JsonScanner:
    """Checks one JSON object or array that arrives in pieces of any size, each character once.

    Between tokens `_expected` holds what may follow: a value, a key, or one of `:` `,` `}` `]`. Within a string or a
    number the pieces are read by `_string` and `_scalar`. `done` is set at the bracket that closes the value, `wrong`
    at the first character that is not JSON; then nothing more may be scanned.
    """

    def __init__(self) -> None:
        self.done = False
        self.wrong = False
        self._open: list[str] = []  # the brackets that will close what is open
        self._expected: frozenset[str] = frozenset({_VALUE})
        self._in_string = False
        self._escape = ""  # the part of an escape sequence that has arrived
        self._number = ""  # the part of a number or of `true`, `false`, `null` that has arrived

    def scan(self, text: str, pos: int, limit: int) -> int:
        """Read `text` from `pos` to `limit`. Returns where it stopped: `limit`, the end of the value, or no JSON."""
        while pos < limit and not self.done and not self.wrong:
            if self._in_string:
                pos = self._string(text, pos, limit)
            elif self._number:
                pos = self._scalar(text, pos, limit)
            else:
                pos = _SPACE.match(text, pos, limit).end()  # type: ignore[union-attr] # matches anything
                if pos < limit:
                    self.wrong = not self._token(text[pos])
                    pos += not self.wrong
        return pos

    def _token(self, char: str) -> bool:
        """Take the first character of a token; False if none may begin with it here."""
        expected = self._expected
        match char:
            case '"' if _VALUE in expected or _KEY in expected:
                self._in_string = True
            case "{" | "[" if _VALUE in expected:
                self._open.append("}" if char == "{" else "]")
                self._expected = frozenset({_KEY if char == "{" else _VALUE, self._open[-1]})
            case "}" | "]" if char in expected:
                self._open.pop()
                self._value_ended()
            case ",":
                self._expected = frozenset({_KEY if self._open[-1:] == ["}"] else _VALUE})
                return char in expected
            case ":":
                self._expected = frozenset({_VALUE})
                return char in expected
            case _ if _VALUE in expected and char in _SCALAR_START:
                self._number = char
            case _:
                return False
        return True

    def _value_ended(self) -> None:
        self.done = not self._open
        self._expected = frozenset({",", *self._open[-1:]})

    def _string(self, text: str, pos: int, limit: int) -> int:
        if not self._escape:
            pos = _PLAIN.match(text, pos, limit).end()  # type: ignore[union-attr] # matches anything
            if pos == limit:
                return pos
            if text[pos] == '"':
                self._in_string = False
                if _KEY in self._expected:
                    self._expected = frozenset({":"})
                else:
                    self._value_ended()
                return pos + 1
        self._escape += text[pos]
        match self._escape:
            case "\\" | "\\u":
                pass
            case _ if self._escape[1:] in tuple('"\\/bfnrt'):
                self._escape = ""
            case _ if self._escape[1:2] == "u" and text[pos] in _HEX:
                self._escape = self._escape if len(self._escape) < 6 else ""
            case _:
                self.wrong = True
                return pos
        return pos + 1

    def _scalar(self, text: str, pos: int, limit: int) -> int:
        end = _SCALAR.match(text, pos, limit).end()  # type: ignore[union-attr] # matches anything
        self._number += text[pos:end]
        if end < limit:
            self.wrong = not _WHOLE_SCALAR.fullmatch(self._number)
            self._number = ""
            self._value_ended()
        return end


# What an object or array can begin with, and what may still become that.
_START = re.compile(r'\{\s*["}]|\[\s*[\[\]{"tfn0-9-]')
_HALF_START = re.compile(r"[{\[]\s*\Z")
_FENCE = re.compile(r"\s*(?:```\s*\w*\s*)?")
_FENCED = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL | re.IGNORECASE)
# Values that may be something else in prose, `see [1]` or `use {}`, and how such a value can begin.
_DOUBTFUL = re.compile(r'\{\s*\}|\[[^,\[\]{"]*\]')
_DOUBTFUL_START = re.compile(r'\{\s*\}|\[\s*[^\s\[{"]')


class JsonFinder:
    """Passes the JSON object or array of an answer and drops what stands around it: a fence, prose before and after.

    SEARCHING   No value has begun. The text is held, up to MAX_PREAMBLE characters.
    CHECKING    A value has begun behind other text. All of it is held until the value ends; what turns out to be no
                JSON (`{"x": ...}`) is prose, and the search goes on. MAX_HELD characters of valid JSON are enough.
    PASSING     The value is passed on as it comes: the text begins with it, or enough of it has been checked.
    PLAIN       There is no value, or the one being passed turned out not to be JSON: everything passes unchanged.

    A value that begins its line or follows a fence counts as soon as it ends. One in the middle of a line may be an
    example: it counts only if the text ends without a better one. What is dropped always leaves JSON that parses, and
    what has been passed on is never revised; so an answer that is cut within a held value passes whole.
    """

    def __init__(self) -> None:
        self.over = False
        self._held = ""  # not passed on yet
        self._searched = 0  # in `_held`: what is before has been searched or checked
        self._start = 0  # in `_held`: where the value that is being checked begins
        self._enough = 0  # so many valid characters of it are passed on
        self._inline: tuple[int, int] | None = None  # in `_held`: a value that counts if there is no better one
        self._scanner: JsonScanner | None = None
        self._passing = False
        self._plain = False

    def feed(self, text: str) -> str:
        if self.over:
            return ""
        if self._plain:
            return text
        if self._passing and self._scanner is not None:
            return self._pass(self._scanner, text, 0)
        self._held += text
        while (scanner := self._scanner or self._begin()) is not None:
            passed = self._check(scanner)
            if passed is not None or self._scanner is not None:
                return passed or ""
        return self._give_up() if len(self._held) > MAX_PREAMBLE else ""

    def close(self) -> str:
        fenced = _FENCED.fullmatch(self._held)
        if fenced is not None and _is_json(fenced[1]):  # a text or a number
            self._held = ""
            return fenced[1]
        return self._give_up(ended=True) if self._held else ""

    def _begin(self) -> JsonScanner | None:
        """Look for the beginning of a value in the held text."""
        held = self._held
        if (found := _START.search(held, self._searched, MAX_PREAMBLE)) is None:
            half = _HALF_START.search(held, self._searched)
            self._searched = half.start() if half else len(held)
            return None
        self._start = self._searched = found.start()
        at_once = not held[: self._start].strip() and not _DOUBTFUL_START.match(held, self._start)
        self._enough = 0 if at_once else MAX_HELD
        self._scanner = JsonScanner()
        return self._scanner

    def _check(self, scanner: JsonScanner) -> str | None:
        """Check what has come of the value. Returns the text to pass on, or None while that is undecided."""
        limit = self._start + self._enough
        end = self._searched = scanner.scan(self._held, self._searched, min(limit, len(self._held)))
        if scanner.done or scanner.wrong:
            self._scanner = None
            return self._ended(self._start, end) if scanner.done else None
        if end < limit:
            return None
        self._passing = True
        begin = self._start if self._enough else 0  # white space before is JSON's own
        return self._pass(scanner, self._release(begin), limit - begin)

    def _ended(self, start: int, end: int) -> str | None:
        line = self._held.rfind("\n", 0, start) + 1
        if _FENCE.fullmatch(self._held, line, start) and not self._is_doubtful(start, end):
            self.over = True
            return self._release(start, end)
        if self._inline is None or self._is_doubtful(*self._inline):
            self._inline = start, end
        return None

    def _is_doubtful(self, start: int, end: int) -> bool:
        return _DOUBTFUL.fullmatch(self._held, start, end) is not None

    def _pass(self, scanner: JsonScanner, text: str, pos: int) -> str:
        end = scanner.scan(text, pos, len(text))
        self.over, self._plain = scanner.done, scanner.wrong
        return text[:end] if scanner.done else text

    def _release(self, start: int, end: int | None = None) -> str:
        held, self._held = self._held, ""
        return held[start:end]

    def _give_up(self, *, ended: bool = False) -> str:
        """Pass on a value in the middle of a line, or all the held text where there is none."""
        if self._inline is not None:
            start, end = self._inline
            if not self._is_doubtful(start, end) or (ended and not self._held[end:].strip(" \t\r\n`.")):
                self.over = True
                return self._release(start, end)
        self._plain = True
        return self._release(0)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return False
    return True


_CUSTOM_START = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# Complete characters and escape sequences of a JSON string. The first half of a surrogate pair is not complete as long
# as the other half may follow.
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
    """The text inside a custom tool's `{"input": "..."}`, unescaped piece by piece as its JSON arrives."""

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
        """The held text, which is not empty where the JSON differs from what was asked for: nothing is lost."""
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
    """The character that an escape sequence means; an invalid sequence stays as it is."""
    try:
        return _read_text(repaired(b'"%b"' % found[0].encode()))
    except msgspec.MsgspecError:
        return found[0]
