import os
import re
from pathlib import Path

import pytest

from claude_proxy.cli.open import can_show
from tests.cli.conftest import Run


@pytest.fixture
def browser(home: Path) -> Path:
    """A browser that writes down the arguments it is started with; yields the file."""
    program, seen = home / "browser", home / "seen"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{seen}\n')
    program.chmod(0o755)
    return seen


def test_the_page_is_opened_in_a_browser(run: Run, home: Path, browser: Path) -> None:
    assert run("start", "--simulator", "--port=0").returncode == 0
    done = run("open", BROWSER=str(home / "browser"))
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"http://localhost:\d+/\n", browser.read_text())


def test_without_a_screen_the_address_is_printed(run: Run) -> None:
    assert run("start", "--simulator", "--port=0").returncode == 0
    done = run("open", DISPLAY="", WAYLAND_DISPLAY="", BROWSER="")
    assert re.fullmatch(r"http://localhost:\d+/\n", done.stdout)


def test_where_a_key_is_required_a_code_is_printed_and_is_in_no_command_line(
    run: Run, home: Path, browser: Path
) -> None:
    key = home / "key"
    assert run("start", "--simulator", "--port=0", "--api-key-file", str(key)).returncode == 0
    done = run("open", BROWSER=str(home / "browser"))
    address, code = done.stdout.splitlines()
    assert re.fullmatch(r"code: (\w{4}-){2}\w{4}", code)
    assert address.endswith(f"/#code={code.removeprefix('code: ')}")
    assert "code" not in browser.read_text()
    log = run("logs").stdout
    assert code.removeprefix("code: ") not in log
    assert key.read_text().strip() not in log + done.stdout + done.stderr


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="other systems always have a screen")
def test_a_screen_is_one_that_the_environment_names() -> None:
    assert not can_show({})
    assert not can_show({"DISPLAY": ""})
    assert can_show({"WAYLAND_DISPLAY": "wayland-0"})
