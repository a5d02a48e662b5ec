"""The commands of a service, against a `systemctl` that writes down how it is called."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")


@pytest.fixture
def systemctl(home: Path) -> Path:
    """The file with the calls of a `systemctl` that refuses to enable anything."""
    program = home / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {shlex.quote(str(home / "calls"))}\n'
        "case \"$*\" in *enable*) echo 'it is broken' >&2; exit 4;; esac\n"
    )
    program.chmod(0o755)
    return home / "calls"


def path_of(home: Path) -> str:
    return f"{home / 'bin'}:/usr/bin:/bin"


def test_show_prints_the_files_and_writes_none(run: Run, home: Path):
    shown = run("service", "show", XDG_RUNTIME_DIR=str(home / "run"))
    assert shown.returncode == 0, shown.stderr
    assert "[Service]" in shown.stdout
    assert "[Socket]" in shown.stdout
    assert not (home / ".config" / "systemd").exists()


def test_without_a_service_uninstall_does_nothing(run: Run):
    done = run("service", "uninstall")
    assert done.returncode == 0
    assert "no service is installed" in done.stderr


def test_install_warns_of_variables_that_the_service_does_not_see(run: Run, home: Path, systemctl: Path):
    secret = "sk-ant-api03-x"
    done = run("service", "install", PATH=path_of(home), CLAUDE_PROXY_STRICT="1", ANTHROPIC_API_KEY=secret)
    assert "the service will not see CLAUDE_PROXY_STRICT" in done.stderr
    assert "the service will not see ANTHROPIC_API_KEY" in done.stderr
    assert secret not in done.stderr
    assert secret not in systemctl.read_text()


def test_a_manager_that_refuses_is_an_error_with_its_own_words(run: Run, home: Path, systemctl: Path):
    done = run("service", "install", PATH=path_of(home))
    assert done.returncode != 0
    assert "it is broken" in done.stderr
    assert "enable" in systemctl.read_text()
