"""Logging: where lines go, how they look, and the net that keeps secrets out of them."""

import json
import logging
import logging.handlers
import os
import re
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from claude_proxy.redaction import redactor

LogFormat = Literal["text", "json", "journal"]

# C0 (tab excepted), DEL and C1: what a terminal could act on, or a forged line could start with.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

MAX_LOG_BYTES = 10 * 1024 * 1024
KEPT_LOGS = 3


def redacted(text: str) -> str:
    """`text` without secrets: what looks like one of Anthropic's, and every credential that was sent."""
    return redactor.redact(text)


def one_line(text: str) -> str:
    """`text` with control characters escaped, so that foreign input cannot forge a line of ours."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class _Formatter(logging.Formatter):
    """Times to the second, with the zone; each second is written out once, which a line per request notices."""

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
        line = f"{self.formatTime(record)} {record.levelname:<7} {record.name}: {one_line(record.getMessage())}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return redacted(line)


class _JournalFormatter(logging.Formatter):
    """For systemd's journal, which has the time of its own and reads the level from the line (sd-daemon(3))."""

    _LEVELS = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def format(self, record: logging.LogRecord) -> str:
        level = next((number for floor, number in self._LEVELS if record.levelno >= floor), 7)
        lines = [f"{record.name}: {one_line(record.getMessage())}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(f"<{level}>{redacted(line)}" for line in lines)


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = record.__dict__.get("fields")
        if isinstance(fields, dict):
            line.update(fields)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return redacted(json.dumps(line, ensure_ascii=False, default=str))


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """A log file that is 0600 from its first byte, and that never stops the daemon when the disk is full."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(
            self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600
        )
        return TextIOWrapper(
            os.fdopen(descriptor, "ab"), encoding=self.encoding, errors="backslashreplace", line_buffering=True
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class names it
        """A line that cannot be written is lost; the request it speaks of is not."""


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
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = _RotatingFile(file, "a", MAX_LOG_BYTES, KEPT_LOGS, encoding="utf-8")
    handler.setFormatter(_FORMATTERS[style]())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # No format of ours shows a thread or a process: nobody needs to ask for them, line by line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # aiohttp's own access log and asyncio's slow-callback notes are not our one line per request.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
