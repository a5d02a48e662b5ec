import dataclasses
from pathlib import Path

import pytest

from claude_proxy.config import SETTINGS, Config, environment_names, is_loopback, load, paths
from claude_proxy.errors import ConfigError


def file_with(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    return file


def test_without_anything_the_defaults_are_in_force():
    settings = load({}, {})
    assert settings == Config()
    assert settings.origin("port") == "default"


def test_flags_win_over_the_environment_that_over_the_file_that_over_the_defaults(tmp_path: Path):
    file = file_with(tmp_path, 'port = 1\nmax_body = 1\nlog_level = "debug"\n')
    environ = {"CLAUDE_PROXY_PORT": "2", "CLAUDE_PROXY_MAX_BODY": "2"}
    settings = load({"port": "3", "max_body": None}, environ, file)
    assert (settings.port, settings.max_body, settings.log_level, settings.host) == (3, 2, "debug", "127.0.0.1")
    origins = [settings.origin(name) for name in ("port", "max_body", "log_level", "host")]
    assert origins == ["flag", "environment", "file", "default"]


def test_our_own_variable_wins_over_anthropics():
    theirs = {"ANTHROPIC_BASE_URL": "http://localhost:1"}
    ours = {"CLAUDE_PROXY_BASE_URL": "http://localhost:2"}
    assert load({}, theirs).base_url == "http://localhost:1"
    assert load({}, theirs | ours).base_url == "http://localhost:2"


def test_an_empty_variable_is_an_absent_one():
    assert load({}, {"CLAUDE_PROXY_PORT": ""}).port == 8000


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("strict", "yes", True),
        ("strict", "Off", False),
        ("port", "0", 0),
        ("read_timeout", "2.5", 2.5),
        ("read_timeout", "7", 7.0),
        ("allowed_hosts", "a.example, b.example,", ("a.example", "b.example")),
        ("aliases", "gpt-4o=sonnet, x = opus", {"gpt-4o": "sonnet", "x": "opus"}),
        ("host", "::1", "::1"),
    ],
)
def test_a_variables_text_becomes_the_settings_type(name: str, text: str, value: object):
    (variable, *_) = environment_names(name)
    assert getattr(load({}, {variable: text}), name) == value


def test_the_file_has_toml_s_own_types(tmp_path: Path):
    file = file_with(
        tmp_path,
        'strict = true\nread_timeout = 5\nallowed_hosts = ["a.example"]\n[aliases]\n"gpt-4o" = "sonnet"\n',
    )
    settings = load({}, {}, file)
    assert settings.strict is True
    assert settings.read_timeout == 5.0
    assert settings.allowed_hosts == ("a.example",)
    assert settings.aliases == {"gpt-4o": "sonnet"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("port = true", "must be a whole number"),
        ("port = 1.5", "must be a whole number"),
        ("strict = 1", "must be true or false"),
        ('read_timeout = ["a"]', "must be a number of seconds"),
        ("read_timeout = true", "must be a number of seconds"),
        ("host = 1", "must be text"),
        ("allowed_hosts = [1]", "must be a list of texts"),
        ("aliases = { a = 1 }", "must be a table of texts"),
        ("port = 70000", "is not between"),
        ("read_timeout = -1", "must not be negative"),
        ("read_timeout = nan", "must not be negative"),
        ('log_level = "loud"', "is not one of debug"),
        ('log_format = "xml"', "is not one of text"),
        ('host = "192.0.2.1"', "is not a loopback address"),
        ('base_url = "ftp://localhost"', "is not an http(s) address"),
        ('base_url = "https://u:p@example.org"', "is not an http(s) address"),
        ('base_url = "https://example.org/?a=b"', "is not an http(s) address"),
        ('base_url = "http://example.org"', "unencrypted"),
        ('api_key_file = "key"', "is not an absolute path"),
        ("port = ", "is not valid TOML"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, complaint: str):
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file_with(tmp_path, text))
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("variable", "text"),
    [("STRICT", "maybe"), ("PORT", "http"), ("READ_TIMEOUT", "soon"), ("ALIASES", "gpt-4o")],
)
def test_a_variable_that_cannot_be_read_is_named(variable: str, text: str):
    with pytest.raises(ConfigError) as caught:
        load({}, {f"CLAUDE_PROXY_{variable}": text})
    assert f"CLAUDE_PROXY_{variable}" in caught.value.message
    assert repr(text) in caught.value.message


def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file_with(tmp_path, "max_bodi = 1"))
    assert caught.value.hint == "did you mean `max_body`?"
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file_with(tmp_path, "qqqqqq = 1"))
    assert "claude-proxy config" in (caught.value.hint or "")


def test_a_file_that_is_not_there_is_an_empty_one(tmp_path: Path):
    assert load({}, {}, tmp_path / "none.toml") == Config()


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read"):
        load({}, {}, tmp_path)
    file = tmp_path / "latin.toml"
    file.write_bytes(b'host = "\xe9"')
    with pytest.raises(ConfigError, match="not valid TOML"):
        load({}, {}, file)


def test_an_address_that_others_can_reach_demands_a_key():
    assert load({"host": "0.0.0.0", "api_key_file": "/some/key"}, {}).host == "0.0.0.0"


def test_every_setting_has_help_and_names_of_its_own():
    assert all(item.help and not item.help.endswith(".") for item in SETTINGS)
    names = [name for item in SETTINGS for name in environment_names(item.name)]
    assert len(names) == len(set(names))
    assert {item.name for item in SETTINGS} == {item.name for item in dataclasses.fields(Config)} - {"origins"}


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *[(host, True) for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]")],
        *[(host, False) for host in ("0.0.0.0", "::", "localhost.example.org", "192.0.2.1", "", "127.1")],
    ],
)
def test_what_is_this_machine_and_nothing_else(host: str, loopback: bool):
    assert is_loopback(host) is loopback


def test_an_upstream_is_told_by_its_host():
    assert Config().upstream_is_anthropic
    assert not Config().upstream_is_loopback
    assert load({"base_url": "http://localhost:1"}, {}).upstream_is_loopback


def test_our_files_are_where_the_platform_wants_them(home: Path):
    places = paths()
    assert places.config_file == home / ".config/claude-proxy/config.toml"
    assert places.state == home / ".local/state/claude-proxy"
    files = {places.log_file, places.pid_file, places.lock_file, places.turn_file}
    assert {file.parent for file in files} == {places.state}
    assert len(files) == 4
    assert not places.state.exists()  # nothing is made by asking


def test_a_home_that_cannot_be_written_to_leaves_the_session_s_directory(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) == home / "run")
    assert paths().state == home / "run" / "claude-proxy"


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch):
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="no home directory"):
        paths()
