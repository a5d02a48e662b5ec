"""The last warning of the log, for the page."""

import logging
import time

from claude_proxy.log import one_line, redacted

MAX_TEXT = 500


class LastWarning(logging.Handler):
    """Keeps the last record of level WARNING: `message`, and `at` in epoch seconds."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.message: str | None = None
        self.at: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            self.message, self.at = one_line(redacted(record.getMessage()))[:MAX_TEXT], time.time()

    def attach(self) -> None:
        logging.getLogger("claude_proxy").addHandler(self)

    def detach(self) -> None:
        logging.getLogger("claude_proxy").removeHandler(self)
