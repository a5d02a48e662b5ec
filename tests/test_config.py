import os
from pathlib import Path

import pytest

from claude_proxy import config
from claude_proxy.config import SETTINGS, Config, load
from claude_proxy.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_flags_win_over_the_environment_over_the_file_over_the_defaults(tmp_path: Path):
    file = written(tmp_path, "port = 1\nstrict = true\nmax_tokens = 5\n")
    environ = {"CLAUDE_PROXY_PORT": "2", "CLAUDE_PROXY_STRICT": "no"}
    found = load({"port": "3", "strict": None}, environ, file)
    assert (found.port, found.strict, found.max_tokens, found.host) == (3, False, 5, "localhost")
    origins = [found.origin(name) for name in ("port", "strict", "max_tokens", "host")]
    assert origins == ["flag", "environment", "file", "default"]


def test_our_own_variable_wins_over_the_sdk_s():
    environ = {"ANTHROPIC_BASE_URL": "https://a.example"}
    assert load({}, environ).base_url == "https://a.example"
    assert load({}, {**environ, "CLAUDE_PROXY_BASE_URL": "https://b.example"}).base_url == "https://b.example"


def test_an_empty_variable_and_a_missing_file_say_nothing(tmp_path: Path):
    assert load({}, {"CLAUDE_PROXY_PORT": ""}, tmp_path / "none") == Config()


def test_the_current_directory_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path, "port = 1")
    monkeypatch.chdir(tmp_path)
    assert load({}, {}).port == Config().port


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("simulator", "TRUE", True),
        ("simulator", "off", False),
        ("port", "80", 80),
        ("read_timeout", "1.5", 1.5),
        ("allowed_hosts", "a, b,,", ("a", "b")),
        ("aliases", "gpt-4o = sonnet,x=y", {"gpt-4o": "sonnet", "x": "y"}),
        ("log_level", "DEBUG", "debug"),
    ],
)
def test_text_from_the_environment_becomes_what_the_setting_is(name: str, text: str, value: object):
    assert getattr(load({}, {f"CLAUDE_PROXY_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("read_timeout = 3", "read_timeout", 3.0),
        ('allowed_hosts = ["a"]', "allowed_hosts", ("a",)),
        ('[aliases]\n"gpt-4o" = "sonnet"', "aliases", {"gpt-4o": "sonnet"}),
        ("simulator = true", "simulator", True),
    ],
)
def test_the_file_has_toml_s_own_types(tmp_path: Path, text: str, name: str, value: object):
    assert getattr(load({}, {}, written(tmp_path, text)), name) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = true", "must be a whole number between 0 and 65535, not True"),
        ('port = "8000x"', "must be a whole number between 0 and 65535, not '8000x'"),
        ("read_timeout = []", "must be a number of seconds"),
        ("port = 70000", "must be a whole number between 0 and 65535, not 70000"),
        ("drain_timeout = inf", "must be a number of seconds between 0 and 31536000, not inf"),
        ("strict = 1", "must be true or false, not 1"),
        ('strict = "maybe"', "must be true or false, not 'maybe'"),
        ("host = 1", "must be text, not 1"),
        ("allowed_hosts = [1]", "must be a list of texts"),
        ("aliases = { a = 1 }", "must be a table of texts"),
        ('aliases = "a"', "must be a table of texts, or a text like `name=model,name=model`, not 'a'"),
        ("port = ", "is not valid TOML"),
        ("prot = 1", "unknown setting `prot`"),
        ("colour = 1", "unknown setting `colour`"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_file(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError, match=message.split("`", maxsplit=1)[0]) as caught:
        load({}, {}, written(tmp_path, text))
    assert message in caught.value.message
    assert str(tmp_path) in caught.value.message


def test_an_unknown_setting_is_answered_with_the_nearest_one(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load({}, {}, written(tmp_path, "prot = 1"))
    assert caught.value.hint == "did you mean `port`?"


def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        load({}, {}, tmp_path)
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load({}, {}, file)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"host": "0.0.0.0"}, "is not a loopback address"),
        ({"host": "example.com"}, "is not a loopback address"),
        ({"port": "65536"}, "must be a whole number between 0 and 65535"),
        ({"base_url": "ftp://x"}, r"is not an http\(s\) address"),
        ({"base_url": "https://a..b"}, r"is not an http\(s\) address"),
        ({"base_url": "https://-a.b"}, r"is not an http\(s\) address"),
        ({"base_url": "https://" + "a" * 64}, r"is not an http\(s\) address"),
        ({"base_url": "https://a/\x7f"}, r"is not an http\(s\) address"),
        ({"base_url": "https://"}, r"is not an http\(s\) address"),
        ({"base_url": "https://x?a=b"}, r"is not an http\(s\) address"),
        ({"base_url": "http://[::1"}, r"is not an http\(s\) address"),
        ({"base_url": "http://localhost:99999"}, r"is not an http\(s\) address"),
        ({"base_url": "http://example.com"}, "would send your credential unencrypted"),
        ({"log_level": "loud"}, "must be one of debug, info, warning, error, not 'loud'"),
        ({"log_format": "xml"}, "must be one of text, json"),
        ({"log_format": "journal"}, "must be one of text, json"),
        ({"retired_models": "ignore"}, "must be one of successor, refuse"),
        ({"drain_timeout": "-1"}, "--drain-timeout must be a number of seconds between"),
        ({"idle_timeout": "-1"}, "--idle-timeout must be a number of seconds between"),
        ({"api_key_file": "key"}, "must be an absolute path"),
        ({"unix_socket": "socket"}, "must be an absolute path"),
        ({"max_body_total": "-1"}, "--max-body-total must be a whole number of at least 0"),
        ({"max_body_total": "100", "max_body": "101"}, "must be 0 or at least max_body"),
    ],
)
def test_what_would_be_unsafe_or_senseless_is_refused(flags: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        load(flags, {})


@pytest.mark.parametrize(
    "url", ["https://user:pw-of-mine@x", "https://:pw-of-mine@x", "https:/user:pw-of-mine@x", "pw-of-mine@x"]
)
def test_a_password_in_an_address_is_refused_and_never_printed(url: str, tmp_path: Path):
    for flags, environ in (({"base_url": url}, {}), ({}, {"ANTHROPIC_BASE_URL": url})):
        with pytest.raises(ConfigError, match="must not hold a user name or a password") as caught:
            load(flags, environ, tmp_path / "none")
        assert "pw-of-mine" not in caught.value.text


def test_an_ipv6_address_and_a_name_with_its_final_dot_are_hosts():
    assert load({"base_url": "http://[::1]:80"}, {}).upstream_is_loopback
    assert load({"base_url": "https://api.example.com.:443/v"}, {}).base_url


@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o666, 0o700), (0o602, 0o700), (0o600, 0o777)])
def test_a_file_that_others_can_change_is_refused(tmp_path: Path, file_mode: int, directory_mode: int):
    directory = tmp_path / "config"
    directory.mkdir()
    file = written(directory, "port = 1")
    file.chmod(file_mode)
    directory.chmod(directory_mode)
    with pytest.raises(ConfigError, match=f"other users can change {directory}") as caught:
        load({}, {}, file)
    assert "chmod go-w" in (caught.value.hint or "")


def test_a_pipe_in_place_of_the_file_keeps_no_command_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "config.toml", 0o600)
    assert load({}, {}, tmp_path / "config.toml") == Config()


def test_flags_survive_the_way_to_another_process():
    flags = {
        "port": "81",
        "simulator": True,
        "strict": False,
        "aliases": "gpt-4o=sonnet,o3=opus",
        "allowed_hosts": "a,b",
        "read_timeout": "2.5",
        "log_level": "debug",
    }
    found = load(flags, {"CLAUDE_PROXY_MAX_BODY": "5"})
    assert load(found.flags(), {"CLAUDE_PROXY_MAX_BODY": "5"}) == found
    assert config.as_arguments(found.flags()) == [
        "--port=81",
        "--simulator",
        "--aliases=gpt-4o=sonnet,o3=opus",
        "--allowed-hosts=a,b",
        "--read-timeout=2.5",
        "--log-level=debug",
        "--no-strict",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_has_many_names(host: str):
    assert config.is_loopback(host)
    assert load({"host": host, "base_url": "http://127.0.0.1:1"}, {}).upstream_is_loopback


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({"ANTHROPIC_BASE_URL": "http://localhost:8000"}, "`unset ANTHROPIC_BASE_URL`"),
        ({"CLAUDE_PROXY_BASE_URL": "http://127.0.0.1:8000/v1"}, "or CLAUDE_PROXY_BASE_URL"),
        ({}, "leave it out"),
    ],
)
def test_upstream_is_not_ourselves(tmp_path: Path, environ: dict[str, str], hint: str):
    found = load({}, environ, written(tmp_path, 'base_url = "http://[::1]:8000"'))
    with pytest.raises(ConfigError, match="is claude-proxy's own address") as caught:
        config.check_upstream_is_elsewhere(found, [8000])
    assert hint in str(caught.value.hint)
    config.check_upstream_is_elsewhere(found, [8001])


@pytest.mark.parametrize(
    "flags",
    [{}, {"base_url": "https://example.com:8000"}, {"simulator": True, "base_url": "http://localhost:8000"}],
)
def test_another_host_and_the_simulator_are_not_ourselves(flags: dict[str, object]):
    config.check_upstream_is_elsewhere(load(flags, {}), [8000, 443])


def test_upstream_is_known_by_its_host():
    assert Config().upstream_is_anthropic
    assert not Config().upstream_is_loopback
    assert not load({"base_url": "https://api.anthropic.com.evil.example"}, {}).upstream_is_anthropic


def test_every_setting_says_what_it_means_and_has_its_variable():
    for item in SETTINGS:
        assert item.help
        assert config.environment_names(item.name)[0] == f"CLAUDE_PROXY_{item.name.upper()}"
        assert getattr(Config(), item.name) == item.default


def test_a_query_in_a_refused_address_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        load({"base_url": "https://example.org/?key=secret"}, {})
    assert "secret" not in caught.value.text
