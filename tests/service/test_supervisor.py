"""What both managers share, by a manager of three lines."""

import os
import stat
from pathlib import Path

import pytest

from claude_proxy.config import Config
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service.supervisor import MEMORY_BASE, ServiceSpec, Supervisor, service_spec


class OneFile(Supervisor):
    """A manager with one file; nothing acts."""

    name = "systemd"

    def __init__(self, file: Path) -> None:
        super().__init__({"PATH": os.defpath})
        self._file = file

    def missing(self) -> str | None:
        return None

    def files(self, spec: ServiceSpec) -> dict[Path, str]:
        return {self._file: " ".join(spec.command)}

    def is_installed(self) -> bool:
        return self._file.exists()

    is_waiting = is_installed

    def install(self, spec: ServiceSpec) -> None:
        self.write(spec)

    def uninstall(self) -> None:
        self._file.unlink()

    def start(self) -> None:
        self.run("true")

    stop = start

    def logs_command(self, lines: int, *, follow: bool) -> list[str] | None:
        return None


def spec(*command: str) -> ServiceSpec:
    return ServiceSpec(command=command or ("serve",), addresses=("127.0.0.1:81",), drain=1.0, log_file=Path("/log"))


def test_written_files_are_private_and_current(tmp_path: Path):
    manager = OneFile(tmp_path / "units" / "unit")
    assert not manager.is_current(spec())
    manager.install(spec())
    assert manager.is_current(spec())
    assert not manager.is_current(spec("other"))
    assert stat.S_IMODE((tmp_path / "units" / "unit").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path):
    (tmp_path / "units").write_text("no directory")
    with pytest.raises(ServiceError, match=r"cannot write .*unit: "):
        OneFile(tmp_path / "units" / "unit").write(spec())


def test_a_file_that_is_not_text_is_not_current(tmp_path: Path):
    (tmp_path / "unit").write_bytes(b"\xff")
    assert not OneFile(tmp_path / "unit").is_current(spec())


def test_a_program_that_fails_is_an_error_with_its_own_words(tmp_path: Path):
    manager = OneFile(tmp_path / "unit")
    assert manager.run("echo", "fine") == "fine\n"
    with pytest.raises(ServiceError, match="failed: broken"):
        manager.run("sh", "-c", "echo broken >&2; exit 3")
    with pytest.raises(ServiceError, match="failed: exit code 3"):
        manager.run("sh", "-c", "exit 3")


def test_a_program_that_does_not_exist_is_an_exit_code(tmp_path: Path):
    done = OneFile(tmp_path / "unit").try_to_run("no-such-program-here")
    assert done.returncode == 127
    assert "no-such-program-here" in done.stderr


@pytest.mark.parametrize("text", ["a\nb", "a\0", "\udcff", "a\u2028b", "\ufffe"])
def test_a_text_that_no_file_can_hold_is_refused(text: str):
    with pytest.raises(ServiceError, match="control character"):
        spec(text)


def test_the_memory_limit_follows_the_bodies(tmp_path: Path):
    places = Paths(config_file=tmp_path / "c", state=tmp_path / "s", data=tmp_path / "d")
    assert service_spec(Config(max_body_total=100), places, {}).memory == MEMORY_BASE + 400
    assert service_spec(Config(max_body_total=0), places, {}).memory is None


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1:81"), ("::1", "[::1]:81"), ("[::1]", "[::1]:81")]
)
def test_an_address_is_written_with_its_port(tmp_path: Path, host: str, address: str):
    places = Paths(config_file=tmp_path / "c", state=tmp_path / "s", data=tmp_path / "d")
    assert service_spec(Config(host=host, port=81), places, {}).addresses == (address,)
