"""What every test gets: a home of its own, and a skip or a failure where a real program is absent."""

import os
from pathlib import Path

import hypothesis
import pytest

from tests.support.components import missing

# How fast this machine is today is no property of the code.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")

_OURS = ("CLAUDE_PROXY_", "CLAUDE_CODE_", "CLAUDE_CONFIG_DIR", "ANTHROPIC_", "OPENAI_")
_ID_BYTES = 40
_REQUIRE = "CLAUDE_PROXY_REQUIRE_COMPONENTS"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """An id for bytes that are not short text. Ids must be the same in every process that collects the tests: a
    compressed body holds the time, and its id would too."""
    if isinstance(val, bytes) and not (len(val) <= _ID_BYTES and val.isascii() and val.decode().isprintable()):
        return argname  # pytest appends a number to ids that occur more than once
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("component"):
        for name in marker.args:
            if reason := missing(name):
                if os.environ.get(_REQUIRE):
                    pytest.fail(f"component {name}: {reason}", pytrace=False)
                pytest.skip(f"component {name}: {reason}")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME with fresh XDG directories: no test reads or writes what belongs to the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_OURS) and name != _REQUIRE:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, place in {
        "XDG_CONFIG_HOME": ".config",
        "XDG_STATE_HOME": ".local/state",
        "XDG_CACHE_HOME": ".cache",
        "XDG_DATA_HOME": ".local/share",
        "XDG_RUNTIME_DIR": "run",
    }.items():
        (home / place).mkdir(mode=0o700, parents=True)
        monkeypatch.setenv(name, str(home / place))
    # No test meets the keyring of whoever runs it; one that needs a backend chooses its own.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return home
