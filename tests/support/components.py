"""The real programs that some tests need, and whether they are installed."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE_CLIENTS = ROOT / "tests/clients/node/node_modules"
AXE = ROOT / "tests/browser/node_modules/axe-core/axe.min.js"
CLAUDE_OLD = ROOT / "tests/clients/claude-old/node_modules/.bin/claude"
CLIENTS = Path(os.environ.get("CLAUDE_PROXY_TEST_CLIENTS", ROOT / ".venv-clients"))


def program(name: str) -> str | None:
    """The path of the program `name`, among the Node clients or on the PATH."""
    return shutil.which(name, path=os.pathsep.join([str(NODE_CLIENTS / ".bin"), os.environ.get("PATH", os.defpath)]))


def claude_programs() -> dict[str, str]:
    """The newest and the oldest Claude CLI that the tests run with."""
    return {"new": program("claude") or "claude", "old": str(CLAUDE_OLD)}


def _claude_old() -> str | None:
    return None if CLAUDE_OLD.exists() else "the old Claude CLI is not installed (npm ci in tests/clients/claude-old)"


def _programs(*names: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        absent = [name for name in names if program(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else None

    return missing


def _node_clients() -> str | None:
    if program("node") is None:
        return "not installed: node"
    return None if NODE_CLIENTS.is_dir() else "the Node clients are not installed (npm ci in tests/clients/node)"


def _axe() -> str | None:
    return None if AXE.is_file() else "axe-core is not installed (npm ci in tests/browser)"


def _clients() -> str | None:
    absent = [name for name in ("openai2", "openai3") if not (CLIENTS / name / "bin/python").exists()]
    return f"not in {CLIENTS}: {', '.join(absent)} (scripts/clients)" if absent else None


def _checkout() -> str | None:
    home = Path(sys.prefix)  # .venv, or .venv-3.13 of `scripts/test --python`
    if home.parent == ROOT and home.name.startswith(".venv"):
        return None
    return "not run from an environment of this checkout (scripts/test)"


def _systemd_user() -> str | None:
    if os.geteuid() != 0:
        return "a private systemd user manager needs root"
    if not Path("/lib/systemd/systemd").exists():
        return "not installed: systemd"
    return _programs("unshare", "systemctl")()


# name of the marker -> function that returns why it is missing, as the reason of a skip, or None
COMPONENTS: dict[str, Callable[[], str | None]] = {
    "axe": _axe,
    "checkout": _checkout,
    "chromium": _programs("chromium"),
    "claude": _programs("claude"),
    "claude-old": _claude_old,
    "clients": _clients,
    "codex": _programs("codex"),
    "curl": _programs("curl"),
    "dbus": _programs("dbus-run-session"),
    "node": _node_clients,
    "secret-service": _programs("dbus-run-session", "gnome-keyring-daemon"),
    "systemd": _programs("systemctl", "systemd-analyze"),
    "systemd-user": _systemd_user,
}


def missing(name: str) -> str | None:
    """Why the component `name` cannot be used here, or None if it can. Any other name is a program."""
    return COMPONENTS.get(name, _programs(name))()
