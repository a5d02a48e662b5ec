"""Decoding JSON that a client sent: lone surrogates are repaired, and an error names the path of the fault.

`null` equals absence everywhere, so a field that stays `msgspec.Raw` has NULL as its default.
"""

import itertools
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest

T = TypeVar("T")

NULL = Raw(b"null")

MAX_NESTING = 500  # levels of a value that stays undecoded; real schemas have about ten
_LEVELS = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_NOT_STRUCTURE = bytes(set(range(256)) - _LEVELS.keys() - {ord('"')})

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<param>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*?)`")
# An escaped UTF-16 surrogate that is not part of a pair. JSON allows it, Unicode has no such character, upstream
# refuses it ("no low surrogate in string"), and JavaScript clients produce it by cutting strings in two.
_MAYBE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # one scan; a search for each letter costs twice as much
_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def repaired(body: bytes) -> bytes:
    """`body` with lone surrogates, escaped or raw, replaced by U+FFFD; the same object where there are none."""
    if _MAYBE_SURROGATE.search(body):
        body = _SURROGATE.sub(lambda found: found[1] + (found[2] or b"\\ufffd"), body)
    return body


def check_utf8(body: bytes) -> None:
    # The decoder checks only what it decodes; a schema that stays Raw would fail later, without a path.
    try:
        body.decode()
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"We could not parse the JSON body of your request: {exc}", code="invalid_json") from None


def decode(decoder: Callable[[bytes | Raw], T], data: bytes | Raw, at: str = "") -> T:
    """The value of `data`. Raises InvalidRequest for what `decoder` raises; `at` is the path of `data`."""
    try:
        return decoder(data)
    except msgspec.ValidationError as exc:
        raise _invalid(str(exc), at) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        reason = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise InvalidRequest(
            f"We could not parse the JSON body of your request: {reason}",
            param=at or None,
            code="invalid_json",
        ) from None


def check_nesting(data: bytes | Raw, param: str) -> None:
    """Raise InvalidRequest if `data`, which is valid JSON, has more than MAX_NESTING levels.

    The decoder's own limit is the interpreter's recursion limit: 1,000 on Python 3.11, some 10,000 on 3.13.
    """
    if len(data) <= MAX_NESTING:
        return
    text = bytes(data)
    if text.count(b"{") + text.count(b"[") <= MAX_NESTING:
        return  # true for nearly all values, and cheap
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_STRUCTURE)
    brackets = b"".join(unescaped.split(b'"')[::2])  # every second part is outside of a string
    if max(itertools.accumulate(map(_LEVELS.__getitem__, brackets))) > MAX_NESTING:
        raise InvalidRequest(
            f"We could not parse the JSON body of your request: '{param}' is nested too deeply.",
            param=param,
            code="invalid_json",
        )


def _invalid(complaint: str, at: str) -> InvalidRequest:
    found = _AT.match(complaint)
    what, path = (found["what"], found["param"]) if found else (complaint, None)
    path = (path or "$").removeprefix("$")
    param = (at + path).removeprefix(".")
    if missing := _MISSING.match(what):
        param = f"{param}.{missing['name']}".removeprefix(".")
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    code = "invalid_type" if what.startswith("Expected") else "invalid_value"
    where = f" for '{param}'" if param else ""
    return InvalidRequest(f"Invalid value{where}: {what}.", param=param or None, code=code)
