"""docs/architecture.md says what is so: every path, every name, every floor."""

import re
from pathlib import Path

import pytest

from tests.test_imports import ROOMS, rooms_on_disk

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "claude_proxy"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")

SPANS = re.findall(r"`([^`\n]+)`", PAGE)
PATHS = sorted({span for span in SPANS if "/" in span or span.endswith(".py")})
NAMES = re.findall(r"`(\w+)` in `([\w/.]+\.py)`", PAGE)
ROWS = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| (add|change|give) ", line)]

# What a newcomer may want to do first.
TASKS = [
    *("add a parameter to chat", "add a dialect", "add a backend", "add a counter", "change an error's code"),
    *("add a setting", "add a credential source"),
]


def located(path: str) -> Path:
    """A path of the page: of the package, or of the repository."""
    return (
        ROOT / path if path.startswith(("tests/", "scripts/", "docs/", "share/", "claude_proxy/")) else PACKAGE / path
    )


def floors() -> dict[str, int]:
    """The floor of each room in the drawing."""
    drawing = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert drawing
    found: dict[str, int] = {}
    for line in drawing[1].splitlines():
        floor, *words = line.replace("|", " ").split()
        found |= {word: int(floor) for word in words if word in ROOMS and word not in found}
    return found


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str):
    assert located(path).exists()


@pytest.mark.parametrize(("name", "path"), NAMES)
def test_every_name_is_in_its_file(name: str, path: str):
    assert re.search(rf"\b{name}\b", located(path).read_text("utf-8"))


def test_every_room_is_drawn():
    assert rooms_on_disk() <= floors().keys()


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_no_higher_floor(room: str):
    drawn = floors()
    assert not [other for other in ROOMS[room] if drawn[other] > drawn[room]]


@pytest.mark.parametrize("task", TASKS)
def test_a_common_change_is_in_at_most_two_files(task: str):
    [row] = [row for row in ROWS if row[0] == f"| {task}"]
    assert 1 <= len(set(re.findall(r"`([\w/]+\.py)`", row[1]))) <= 2


def test_the_page_is_one_page():
    assert len(PAGE.splitlines()) <= 100
