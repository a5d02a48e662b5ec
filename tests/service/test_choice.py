import sys

import pytest

from claude_proxy.service import choice
from claude_proxy.service.launchd import LABEL


@pytest.mark.parametrize(("platform", "name"), [("linux", "systemd"), ("darwin", "launchd"), ("win32", None)])
def test_each_platform_has_its_manager(monkeypatch: pytest.MonkeyPatch, platform: str, name: str | None):
    monkeypatch.setattr(sys, "platform", platform)
    here = choice.supervisor({"HOME": "/nonexistent"})
    assert (here.name if here else None) == name
    assert choice.installed({"HOME": "/nonexistent"}) is None


def test_what_is_installed_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    file = tmp_path / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    file.parent.mkdir(parents=True)
    file.touch()
    found = choice.installed({"HOME": str(tmp_path)})
    assert found is not None
    assert found.name == "launchd"
