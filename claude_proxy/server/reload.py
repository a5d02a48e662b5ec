"""Reads the settings again while the server runs. Those marked `at_once` take effect, the others after a restart."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Set
from typing import Any

from aiohttp import web

from claude_proxy.config import SETTINGS, Config
from claude_proxy.errors import ProxyError
from claude_proxy.server.policy import POLICY
from claude_proxy.server.state import STATE

log = logging.getLogger(__name__)

# The log's settings are in force once they are read: the function that reads them applies them.
AT_ONCE = frozenset(item.name for item in SETTINGS if item.at_once)
_NAMES = frozenset(item.name for item in SETTINGS)


class Reload:
    """Reads the settings of a running server again whenever it is called. Invalid settings change nothing.

    `started` are the settings as they were first read; `read` reads them again, or raises ProxyError or OSError.
    """

    def __init__(self, app: web.Application, started: Config, read: Callable[[], Config]) -> None:
        self._app = app
        self._started = started
        self._read = read

    def __call__(self) -> None:
        try:
            fresh = self._read()
        except (ProxyError, OSError) as exc:
            reason = exc.text if isinstance(exc, ProxyError) else str(exc)
            log.error("the settings stay as they are: %s", reason)  # noqa: TRY400 - expected: no traceback
            return
        changed = _changes(self._app[STATE].config, fresh, AT_ONCE)
        put_in_force(self._app, changed)
        log.info("settings read again; changed: %s", ", ".join(changed) or "nothing")
        for name in _changes(self._started, fresh, _NAMES - AT_ONCE):
            log.warning("the change of %s takes effect after restart", name)


def put_in_force(app: web.Application, values: Mapping[str, Any]) -> None:
    """Make the next request use these settings; running requests keep those that they have read."""
    state = app[STATE]
    state.config = dataclasses.replace(state.config, **values)
    state.catalog.ttl = state.config.models_ttl
    app[POLICY].renew(state.config)


def _changes(old: Config, new: Config, names: Set[str]) -> dict[str, Any]:
    return {name: getattr(new, name) for name in sorted(names) if getattr(new, name) != getattr(old, name)}
