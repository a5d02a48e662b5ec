import json
import logging
import logging.handlers
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_proxy import log

SECRETS = ["sk-ant-api03-" + "aB3_-" * 8, "sk-ant-oat01-" + "xyz9" * 8, "sk-ant-ort01-" + "q" * 40]


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(style: log.LogFormat, file: Path, *, level: str = "info") -> list[str]:
    """What stands in the log after a few records."""
    log.set_up(level, style=style, file=file)
    logger = logging.getLogger("claude_proxy.test")
    logger.debug("too quiet")
    logger.info("key %s, Bearer %s", SECRETS[0], "abcdefghijklmnop")
    logger.warning("two\nlines \x1b[31m", extra={"fields": {"id": "req_1"}})
    try:
        int(SECRETS[1])
    except ValueError:
        logger.exception("failed")
    return file.read_text().splitlines()


@pytest.mark.parametrize("style", ["text", "json", "journal"])
def test_no_secret_reaches_a_log_in_any_format(tmp_path: Path, style: log.LogFormat):
    written = "\n".join(lines(style, tmp_path / "log"))
    assert written.count("sk-ant-***") >= 3
    assert not any(secret in written for secret in [*SECRETS, "abcdefghijklmnop"])
    assert "too quiet" not in written


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_struck_out_and_the_rest_stays(secret: str):
    assert log.redacted(f"a {secret} b {secret}.") == "a sk-ant-*** b sk-ant-***."
    assert log.redacted("nothing here: sk-ant") == "nothing here: sk-ant"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[0m", "\\x1b[0m"),
        ("a\tb", "a\tb"),
        ("\u2028\x7f\x9b", "\\u2028\\x7f\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066\u200f\u061c\ufeff\U000e0041\udcff", "\\u2066\\u200f\\u061c\\ufeff\\U000e0041\\udcff"),
        ("ü \N{SNOWMAN}", "ü \N{SNOWMAN}"),
    ],
)
def test_foreign_text_cannot_forge_a_line(text: str, shown: str):
    assert log.one_line(text) == shown


def test_a_text_line_has_time_level_and_logger(tmp_path: Path):
    second = lines("text", tmp_path / "log")[1]
    assert second.endswith("WARNING claude_proxy.test: two\\nlines \\x1b[31m")
    assert second[:2] == "20"


def test_a_json_line_is_an_object_with_the_request_s_fields(tmp_path: Path):
    first, second, third = (json.loads(line) for line in lines("json", tmp_path / "log"))
    assert first["level"] == "INFO"
    assert (second["message"], second["id"]) == ("two\nlines \x1b[31m", "req_1")
    assert "sk-ant-***" in third["traceback"]


def test_a_journal_line_starts_with_its_level_and_has_no_time(tmp_path: Path):
    written = lines("journal", tmp_path / "log", level="debug")
    assert written[0] == "<7>claude_proxy.test: too quiet"
    assert written[2].startswith("<4>claude_proxy.test: two")
    assert all(line.startswith("<3>") for line in written[3:])


def test_a_log_file_is_for_this_user_only_and_follows_no_link(tmp_path: Path):
    file = tmp_path / "deep" / "log"
    lines("text", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        log.set_up("info", file=tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_a_log_that_grows_is_rotated_and_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "MAX_LOG_BYTES", 200)
    log.set_up("info", file=tmp_path / "log")
    for number in range(20):
        logging.getLogger("x").info("line %d", number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["log", "log.1", "log.2", "log.3"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert "line 19" in (tmp_path / "log").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_loses_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]):
    handler = log._RotatingFile("/dev/full", "a", 0, 0)
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    handler.handleError(logging.makeLogRecord({}))
    assert capsys.readouterr() == ("", "")
    assert handler.stream is not None
    os.dup2(os.open(os.devnull, os.O_WRONLY), handler.stream.fileno())  # what is still buffered can go now
    handler.close()


def test_without_a_file_the_log_goes_to_stderr_and_replaces_what_was(root: logging.Logger):
    log.set_up("error")
    log.set_up("warning")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
    assert root.level == logging.WARNING


@pytest.mark.parametrize("style", ["text", "json", "journal"])
def test_a_long_text_of_a_client_s_is_cut_and_what_follows_it_stays(tmp_path: Path, style: log.LogFormat):
    log.set_up("info", style=style, file=tmp_path / "log")
    logger = logging.getLogger("x")
    logger.info("model=%s status=%d %s", "m" * 12_000_000, 404, "end")
    logger.info("%s", "\n".join("x" * 3000 for _ in range(1000)), extra={"fields": {"model": "m" * 1_000_000}})
    logger.info("y" * 100_000)
    try:
        int("z" * 1_000_000 + "\n" * 100_000 + "last", base=2)
    except ValueError:
        logger.exception("failed")
    text = (tmp_path / "log").read_text()
    assert "m… (12000000 characters) status=404 end" in text
    assert len(text) < 50_000


def test_a_secret_is_not_cut_in_two(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "redacted", lambda text: text.replace("gateway-token", "***"))
    assert log.excerpt("ab gateway-token" + "c" * 100, limit=25) == "ab ***c… (116 characters)"


@pytest.mark.parametrize("style", ["text", "json", "journal"])
def test_no_line_is_forged_by_format_characters_or_by_an_exception(tmp_path: Path, style: log.LogFormat):
    log.set_up("info", style=style, file=tmp_path / "log")
    forged = "x\n2026-01-01T00:00:00+0000 INFO    forged\x9b\u202e"
    try:
        Path(forged).rmdir()
    except OSError:
        logging.getLogger("x").exception("%s", forged)
    lines = (tmp_path / "log").read_text().split("\n")
    assert not any(line.startswith("2026-01-01T00:00:00+0000 INFO    forged") for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_json_line_keeps_what_it_escapes(tmp_path: Path):
    log.set_up("info", style="json", file=tmp_path / "log")
    logging.getLogger("x").info("%s", "a\u202e\U000e0041ü")
    assert json.loads((tmp_path / "log").read_text())["message"] == "a\u202e\U000e0041ü"
