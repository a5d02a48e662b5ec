import json
import logging
import logging.handlers
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_proxy import log

# Made up, in the shape of real ones.
KEY = "sk-ant-api03-" + "aB3_-" * 8
TOKEN = "sk-ant-oat01-" + "zZ9_-" * 8


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    switches = logging.logThreads, logging.logProcesses, logging.logMultiprocessing
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = switches


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"key {KEY}, token {TOKEN}!", "key sk-ant-***, token sk-ant-***!"),
        ("Authorization: Bearer abcdefghijklmnop==", "Authorization: Bearer sk-ant-***"),
        ("authorization: bearer abcdefghijklmnop", "authorization: bearer sk-ant-***"),
        ("the bearer of bad news", "the bearer of bad news"),
        ("nothing to hide", "nothing to hide"),
        ("sk-ant-", "sk-ant-"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str, clean: str):
    assert log.redacted(text) == clean


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain, ünïcödé 😀", "plain, ünïcödé 😀"),
        ("a\nb\rc", "a\\nb\\rc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("tab\tstays", "tab\tstays"),
        ("\x85\u2028\u2029", "\\x85\\u2028\\u2029"),
    ],
)
def test_foreign_text_stays_on_one_line(text: str, escaped: str):
    assert log.one_line(text) == escaped


def fail(message: str) -> None:
    raise ValueError(message)


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


def test_a_line_has_its_time_level_and_place(tmp_path: Path):
    log.set_up("info", file=tmp_path / "new" / "log")
    logging.getLogger("claude_proxy.test").info("from %s", "a\nforged line")
    logging.getLogger("claude_proxy.test").debug("too much")
    [line] = lines(tmp_path / "new" / "log")
    assert line.endswith(" INFO    claude_proxy.test: from a\\nforged line")
    assert line[10] == "T"


def test_a_traceback_is_kept_and_secrets_in_it_are_not(tmp_path: Path):
    log.set_up("info", file=tmp_path / "log")
    try:
        fail(f"with {KEY}")
    except ValueError:
        logging.getLogger("claude_proxy.test").exception("it broke")
    text = (tmp_path / "log").read_text()
    assert "Traceback" in text
    assert "with sk-ant-***" in text
    assert KEY not in text


def test_json_lines_carry_the_fields_of_a_request(tmp_path: Path):
    log.set_up("debug", style="json", file=tmp_path / "log")
    logger = logging.getLogger("claude_proxy.test")
    logger.warning("said %s", f"\n{KEY}", extra={"fields": {"status": 200}})
    try:
        fail("broken")
    except ValueError:
        logger.exception("it broke")
    first, second = map(json.loads, lines(tmp_path / "log"))
    assert (first["level"], first["logger"], first["status"]) == ("WARNING", "claude_proxy.test", 200)
    assert first["message"] == "said \nsk-ant-***"
    assert "ValueError: broken" in second["traceback"]


@pytest.mark.parametrize(("level", "number"), [("error", 3), ("warning", 4), ("info", 6), ("debug", 7)])
def test_the_journal_reads_the_level_from_the_line(capsys: pytest.CaptureFixture[str], level: str, number: int):
    log.set_up("debug", style="journal")
    logging.getLogger("claude_proxy.test").log(logging.getLevelName(level.upper()), "hi %s", "a\nb")
    assert capsys.readouterr().err == f"<{number}>claude_proxy.test: hi a\\nb\n"


def test_every_line_of_a_traceback_has_its_level_in_the_journal(capsys: pytest.CaptureFixture[str]):
    log.set_up("debug", style="journal")
    try:
        fail(KEY)
    except ValueError:
        logging.getLogger("claude_proxy.test").exception("it broke")
    written = capsys.readouterr().err.splitlines()
    assert len(written) > 3
    assert all(line.startswith("<3>") for line in written)
    assert KEY not in "".join(written)


def test_the_file_is_for_its_owner_alone_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "MAX_LOG_BYTES", 1000)
    log.set_up("info", file=tmp_path / "state" / "log")
    for number in range(200):
        logging.getLogger("claude_proxy.test").info("line %d", number)
    files = sorted((tmp_path / "state").iterdir())
    assert len(files) == 1 + log.KEPT_LOGS
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert all(file.stat().st_size <= 1100 for file in files)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path):
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        log.set_up("info", file=tmp_path / "log")
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path):
    log.set_up("info", file=tmp_path / "log")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert handler.stream
    for place in ("/dev/full", os.devnull):  # the second one lets it close
        with Path(place).open("wb") as device:
            os.dup2(device.fileno(), handler.stream.fileno())
        logging.getLogger("claude_proxy.test").info("lost")


def test_setting_up_again_replaces_the_handlers(tmp_path: Path):
    log.set_up("info", file=tmp_path / "one")
    log.set_up("warning", file=tmp_path / "two")
    logging.getLogger("claude_proxy.test").warning("hi")
    logging.getLogger("claude_proxy.test").info("too much")
    assert (tmp_path / "one").read_text() == ""
    assert len(lines(tmp_path / "two")) == 1
