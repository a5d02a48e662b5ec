"""The script language: lines of a message that start with `/simulate` control the simulator's answer.

The script is in the last user message with text. Its lines run from top to bottom; each content command adds one
block, and lines without the prefix are ignored. An argument that starts with `"` is read as a JSON string, so
`/simulate text "two\\nlines"` works.

Content
    text TEXT                        a text block
    words N                          a text block of N words
    thinking TEXT                    a thinking block with its signature
    redacted [TEXT]                  a redacted_thinking block
    tool NAME [JSON]                 a tool_use block; `#1` names the first tool of the request; without JSON the
                                     input is made from the tool's schema. Several lines are parallel calls
    tools-broken-json NAME TEXT      a tool_use block whose streamed input is TEXT, JSON or not
    web_search QUERY                 a server_tool_use block and its web_search_tool_result, also without that tool
    citation URL | TITLE | TEXT      a text block that cites a web page
    empty                            no content at all

The end of the message
    stop REASON                      the stop reason, independent of the content
    refusal [EXPLANATION]            stop reason `refusal` with its details
    pause                            stop reason `pause_turn`

In the stream, at this position
    ping                             a ping
    unknown-event                    an event, a block and a delta of unknown types
    restart                          a second message_start
    error TYPE [MESSAGE]             an error event, and the end
    cut                              the connection is closed
    stall                            nothing more is sent until the client disconnects

Instead of a message
    status CODE [KEY=VALUE ...] [html | empty]
                                     an HTTP error. `message=`, `type=` and `error_code=` go into the body,
                                     with `times=N` only the first N attempts fail; other keys are headers

Transport
    chunk N                          the stream is written N bytes at a time, also within a character
    crlf                             lines end with CR LF

Several answers
    next                             the lines that follow answer the next request of the same turn: after tool
                                     results, or after a pause
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from claude_proxy.simulator.api_error import ApiError, invalid

PREFIX = "/simulate "
_NUMBER = re.compile(r"[0-9]{1,9}")  # Python refuses to convert more than 4,300 digits


@dataclass(frozen=True)
class Line:
    """One line of a script: its command and the unparsed argument."""

    command: str
    rest: str

    @property
    def text(self) -> str:
        """The argument as text; decoded if it is a JSON string."""
        return str(json_argument(self.rest)) if self.rest.startswith('"') else self.rest

    @property
    def number(self) -> int:
        if not _NUMBER.fullmatch(self.rest) or int(self.rest) < 1:
            raise script_error(f"`{self.command}` needs a number from 1 to 999999999")
        return int(self.rest)

    def names(self) -> tuple[str, str]:
        """The first word of the argument, and the rest."""
        name, _, rest = self.rest.partition(" ")
        if not name:
            raise script_error(f"`{self.command}` needs a name")
        return name, rest.strip()


_COMMANDS = """
text words thinking redacted tool tools-broken-json web_search citation empty stop refusal pause
ping unknown-event restart error cut stall status chunk crlf next
"""
COMMANDS = frozenset(_COMMANDS.split())


def script_error(message: str) -> ApiError:
    """A 400 that says why a script cannot be run."""
    return invalid(f"simulator: {message}")


def json_argument(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError as exc:
        raise script_error(f"{text} is not JSON: {exc}") from None


def parse(text: str) -> list[Line]:
    """The script in `text`, empty if there is none. Raises a 400 for an unknown command."""
    return list(_lines(text))


def _lines(text: str) -> Iterator[Line]:
    for row in text.splitlines():
        if not row.startswith(PREFIX):
            continue
        command, _, rest = row[len(PREFIX) :].strip().partition(" ")
        if command not in COMMANDS:
            raise script_error(f"`{command}` is not a command of the script language")
        yield Line(command, rest.strip())


def section(lines: list[Line], number: int) -> list[Line]:
    """The lines of section `number`; sections are separated by `next`. Empty past the last section."""
    parts: list[list[Line]] = [[]]
    for line in lines:
        if line.command == "next":
            parts.append([])
        else:
            parts[-1].append(line)
    return parts[number] if number < len(parts) else []


@dataclass(frozen=True)
class HttpError:
    """The HTTP error requested by `/simulate status`."""

    error: ApiError
    body_format: str  # json, html or empty
    times: int | None


def http_error(line: Line) -> HttpError:
    try:
        code, *arguments = shlex.split(line.rest)
        status = int(code)
    except ValueError:
        raise script_error("`status` needs an HTTP status") from None
    if not 400 <= status <= 599:
        raise script_error(f"{status} is not the status of an error")
    given = dict(command.split("=", 1) for command in arguments if "=" in command)
    formats = [command for command in arguments if "=" not in command] or ["json"]
    if formats[0] not in {"json", "html", "empty"}:
        raise script_error(f"`{formats[0]}` is not a body format: use html, empty or none")
    message = given.pop("message", "") or _MESSAGES.get(status, "Simulated error")
    error_type = given.pop("type", None)
    code = given.pop("error_code", "")
    times = given.pop("times", None)
    if times is not None and not _NUMBER.fullmatch(times):
        raise script_error("`times` needs a number")
    for name, value in given.items():
        if not _HEADER.fullmatch(name) or name.lower() in _FIXED or not (value.isascii() and value.isprintable()):
            raise script_error(f"`{name}` cannot be sent as a header")
    details = {"error_code": code} if code else None
    error = ApiError(status, message, type=error_type, headers=given, details=details)
    return HttpError(error, formats[0], None if times is None else int(times))


_HEADER = re.compile(r"[A-Za-z0-9-]+")
_FIXED = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "connection"})


_MESSAGES = {
    400: "Simulated invalid request",
    401: "invalid x-api-key",
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not found",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    503: "Service unavailable",
    504: "The request timed out while processing.",
    529: "Overloaded",
}
