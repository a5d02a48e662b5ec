"""Rooms stand on floors: a room imports only rooms below it, and each third party has its home."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "claude_proxy"

# room -> the rooms it may import. Changing this table is a design decision.
ROOMS: dict[str, set[str]] = {
    "cli": {
        *(
            "config",
            "credentials",
            "diagnosis",
            "dialects",
            "errors",
            "files",
            "log",
            "options",
            "paths",
            "prices",
            "recipes",
            "redaction",
            "server",
            "service",
            "setting",
            "simulator",
            "store",
            "translate",
            "transport",
        ),
        *("upstream", "wire"),
    },
    "server": {
        *(
            "config",
            "credentials",
            "diagnosis",
            "dialects",
            "errors",
            "files",
            "log",
            "options",
            "prices",
            "recipes",
            "redaction",
            "simulator",
            "store",
            "translate",
            "transport",
            "upstream",
            "wire",
        ),
    },
    "diagnosis": {"config", "credentials", "errors", "paths", "service", "transport", "upstream"},
    "upstream": {"config", "credentials", "errors", "files", "paths", "redaction", "transport", "wire"},
    "transport": {"errors"},
    "dialects": {"errors", "options", "translate", "wire"},
    "simulator": {"config", "errors", "log", "wire"},
    "translate": {"errors", "options", "wire"},
    "credentials": {"config", "errors", "files", "paths", "redaction", "transport", "wire"},
    "service": {"config", "errors", "files", "log", "paths"},
    "store": {"errors", "files", "transport"},
    "wire": {"errors"},
    "config": {"errors", "files", "options", "setting"},
    "options": {"setting"},
    "setting": {"errors"},
    "paths": {"errors"},
    "prices": set(),
    "files": set(),
    "log": {"files", "redaction"},
    "recipes": set(),
    "redaction": set(),
    "errors": set(),
}

# third party -> the rooms that may import it
HOMES: dict[str, set[str]] = {
    "aiohappyeyeballs": {"transport"},
    "aiohttp": {"server", "simulator"},
    "click": {"cli"},
    "genai_prices": {"prices"},
    "httptools": {"transport"},
    "keyring": {"credentials"},
    "msgspec": {
        *(
            "cli",
            "config",
            "diagnosis",
            "dialects",
            "options",
            "prices",
            "server",
            "service",
            "setting",
            "simulator",
            "store",
        ),
        *("translate", "upstream", "wire"),
    },
    "multidict": {"server", "simulator"},
    "opentelemetry": {"server"},
    "platformdirs": {"paths"},
    "prometheus_client": {"server"},
    "psutil": {"service"},
    "rich": {"cli"},
    "secretstorage": {"credentials"},  # keyring's own, for what its interface does not offer
    "uvloop": {"server"},
    "yarl": {"server", "simulator"},
}

# Rooms without I/O: the same bytes in give the same bytes out. What a clock, a die or the world would need
# is an argument there, so the modules that offer one stay outside.
PURE = {"dialects", "errors", "translate", "wire"}
IMPURE_MODULES = {
    *("asyncio", "concurrent", "http.client", "http.server", "io", "logging", "multiprocessing", "os", "pathlib"),
    *("random", "secrets", "select", "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib.request", "uuid"),
}
IMPURE_NAMES = {"input", "now", "open", "print", "today", "utcnow"}  # builtins, and datetime's clock


class Import(NamedTuple):
    module: str
    file: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(PACKAGE.parent)}:{self.line} imports {self.module}"


def imports_of(file: Path) -> Iterator[Import]:
    """Every import of `file`, also those inside functions; `from package import name` counts as package.name."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, file, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level:
                parents = file.relative_to(PACKAGE.parent).parts[: -node.level]
                package = ".".join([*parents, *([node.module] if node.module else [])])
            if package == PACKAGE.name:
                for name in node.names:
                    yield Import(f"{package}.{name.name}", file, node.lineno)
            else:
                yield Import(package, file, node.lineno)


def files_of(room: str) -> list[Path]:
    single = PACKAGE / f"{room}.py"
    return [single] if single.exists() else sorted((PACKAGE / room).rglob("*.py"))


def imports_in(room: str) -> Iterator[Import]:
    for file in files_of(room):
        yield from imports_of(file)


def rooms_on_disk() -> set[str]:
    names = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return names - {"__init__", "__main__"}


def test_every_room_has_a_floor():
    assert rooms_on_disk() <= ROOMS.keys()


def test_no_two_rooms_import_each_other():
    for room, below in ROOMS.items():
        for other in below:
            assert room not in ROOMS[other]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_rooms_below_it(room: str):
    allowed = ROOMS[room] | {room, "__version__"}
    wrong = [
        found.place
        for found in imports_in(room)
        if found.module.split(".")[0] == PACKAGE.name and found.module.split(".")[1] not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_third_parties_are_imported_only_at_home(room: str):
    wrong = [
        found.place
        for found in imports_in(room)
        if (top := found.module.split(".")[0]) not in sys.stdlib_module_names
        and top != PACKAGE.name
        and room not in HOMES.get(top, ())
    ]
    assert not wrong


def test_only_the_store_uses_sqlite():
    assert not [
        found.place for room in ROOMS.keys() - {"store"} for found in imports_in(room) if "sqlite" in found.module
    ]


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_imports_nothing_that_reaches_the_world(room: str):
    wrong = [
        found.place
        for found in imports_in(room)
        if found.module in IMPURE_MODULES or found.module.split(".")[0] in IMPURE_MODULES
    ]
    assert not wrong


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_calls_no_clock_and_does_no_io(room: str):
    called = [
        (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""), file.name)
        for file in files_of(room)
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]
    assert not [found for found in called if found[0] in IMPURE_NAMES]


def test_the_command_line_loads_nothing_heavy_before_it_is_asked():
    heavy = ["aiohttp", "genai_prices", "keyring", "psutil", "rich", "uvloop"]
    program = f"import sys, claude_proxy.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
