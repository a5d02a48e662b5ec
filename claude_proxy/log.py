"""Logging: where lines go, their format, and what keeps secrets and forged lines out of them."""

import json
import logging
import logging.handlers
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from claude_proxy.files import make_directory
from claude_proxy.redaction import redactor

LogFormat = Literal["text", "json", "journal"]

# Characters of an argument and of a whole message. Clients choose much of what is logged; five lines of some
# megabytes would rotate the whole history away.
MAX_ARGUMENT = 4000
MAX_MESSAGE = 8000
MAX_TRACEBACK_LINES = 300
MAX_LOG_BYTES = 10 * 1024 * 1024
KEPT_LOGS = 3


def redacted(text: str) -> str:
    """`text` without secrets: what looks like one of Anthropic's, and every credential that was sent."""
    return redactor.redact(text)


def one_line(text: str) -> str:
    """`text` with unprintable characters escaped, tabs excepted, so that foreign input cannot forge a line of ours.

    Unprintable are control characters, which a terminal acts on, and format characters such as U+202E, which change
    the order in which a line is shown.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\t" else _escape(sign) for sign in text)


def excerpt(text: str, limit: int = MAX_ARGUMENT) -> str:
    """`text`, or its beginning and its length when it is longer than `limit` characters.

    Secrets are removed first, because half of one could not be recognised.
    """
    if len(text) <= limit:
        return text
    end = f"… ({len(text)} characters)"
    return redacted(text)[: max(0, limit - len(end))] + end


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def _message(record: logging.LogRecord) -> str:
    """The record's message, with each text in it cut, so that a long one hides neither the others nor the log."""
    message = record.getMessage()
    if len(message) <= MAX_ARGUMENT:
        return message  # nearly every line; then no argument is longer either
    arguments = record.args if isinstance(record.args, tuple) else ()
    if any(isinstance(each, str) and len(each) > MAX_ARGUMENT for each in arguments):
        record.args = tuple(excerpt(each) if isinstance(each, str) else each for each in arguments)
    return excerpt(record.getMessage(), MAX_MESSAGE)


def _traceback(formatted: str) -> list[str]:
    """A traceback as lines that cannot be taken for log lines: the text of an exception may be a client's."""
    lines = formatted.splitlines()[-MAX_TRACEBACK_LINES:]
    return [f"  {one_line(excerpt(line))}" for line in lines]


class _Formatter(logging.Formatter):
    """Times to the second, with the zone. The text of the current second is cached, because each request is logged."""

    def __init__(self) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S%z")
        self._second: tuple[int, str] = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the base class names it
        second = int(record.created)
        if self._second[0] != second:
            self._second = second, super().formatTime(record, datefmt or self.datefmt)
        return self._second[1]


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname:<7} {record.name}: {one_line(_message(record))}"
        if record.exc_info:
            line = "\n".join([line, *_traceback(self.formatException(record.exc_info))])
        return redacted(line)


class _JournalFormatter(logging.Formatter):
    """For systemd's journal, which adds the time itself and reads the level from the line (sd-daemon(3))."""

    _LEVELS = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def format(self, record: logging.LogRecord) -> str:
        level = next((number for floor, number in self._LEVELS if record.levelno >= floor), 7)
        lines = [f"{record.name}: {one_line(_message(record))}"]
        if record.exc_info:
            lines += _traceback(self.formatException(record.exc_info))
        return "\n".join(f"<{level}>{redacted(line)}" for line in lines)


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        fields = record.__dict__.get("fields")
        if isinstance(fields, dict):
            line.update({name: excerpt(each) if isinstance(each, str) else each for name, each in fields.items()})
        if record.exc_info:
            line["traceback"] = "\n".join(_traceback(self.formatException(record.exc_info)))
        return redacted(_printable_json(json.dumps(line, ensure_ascii=False, default=str)))


def _printable_json(document: str) -> str:
    """`document` with the unprintable characters that JSON itself allows in strings escaped."""
    if document.isprintable():
        return document
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in document)


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """A log file with mode 0600 from the start, whose errors (a full disk) do not stop the daemon."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(
            self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600
        )
        return TextIOWrapper(
            os.fdopen(descriptor, "ab"), encoding=self.encoding, errors="backslashreplace", line_buffering=True
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class names it
        """Drop a line that cannot be written, instead of failing the request that it is about."""


_FORMATTERS: dict[LogFormat, type[logging.Formatter]] = {
    "text": _TextFormatter,
    "json": _JsonFormatter,
    "journal": _JournalFormatter,
}


def set_up(level: str, *, style: LogFormat = "text", file: Path | None = None) -> None:
    """Send the whole program's log to `file`, or to stderr when there is none; replaces earlier handlers."""
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        make_directory(file.parent)
        handler = _RotatingFile(file, "a", MAX_LOG_BYTES, KEPT_LOGS, encoding="utf-8")
    handler.setFormatter(_FORMATTERS[style]())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Not looked up for each line, because no format of ours shows a thread or a process.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # We write one line per request ourselves.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
