import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_every_test_that_the_security_page_names_is_there() -> None:
    file, named = "", 0
    for path, name in re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", PAGE):
        file = path or file
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), f"{file}::{name}"
        named += 1
    assert named > 40


def test_every_promise_names_a_test() -> None:
    promises = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Promise")]
    assert all("tests/" in line.rpartition(" | ")[2] for line in promises)
