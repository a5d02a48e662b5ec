from pathlib import Path

from claude_proxy.credentials.programs import find_program, without_secrets


def test_what_says_which_account_is_left_out():
    environ = {
        "HOME": "/home/somebody",
        "PATH": "/bin",
        "CLAUDE_CONFIG_DIR": "/srv/claude",
        "CLAUDE_SECURESTORAGE_CONFIG_DIR": "/srv/safe",
        "HTTPS_PROXY": "http://proxy.example",
        "NODE_EXTRA_CA_CERTS": "/etc/ca.pem",
    }
    secret = {
        "ANTHROPIC_API_KEY": "a",
        "ANTHROPIC_BASE_URL": "b",
        "CLAUDE_CODE_OAUTH_TOKEN": "c",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "OPENAI_API_KEY": "d",
    }
    assert without_secrets(environ | secret) == environ


def test_a_variable_can_be_kept():
    assert without_secrets({"ANTHROPIC_CONFIG_DIR": "x"}, keep=("ANTHROPIC_CONFIG_DIR",)) == {
        "ANTHROPIC_CONFIG_DIR": "x"
    }


def test_the_path_comes_first(executable, tmp_path):
    home, on_path = tmp_path / "home", tmp_path / "bin"
    executable("made-up-program", "#!/bin/sh\n", home / ".local/bin")
    found = executable("made-up-program", "#!/bin/sh\n", on_path)
    assert find_program("made-up-program", {"PATH": str(on_path)}, home) == found


def test_a_usual_place_is_looked_into(executable, tmp_path):
    found = executable("made-up-program", "#!/bin/sh\n", tmp_path / ".claude/local")
    assert find_program("made-up-program", {}, tmp_path) == found


def test_the_current_directory_is_no_place_for_programs(executable, tmp_path, monkeypatch):
    executable("made-up-program", "#!/bin/sh\n", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find_program("made-up-program", {"PATH": ".::relative"}, Path("/nowhere")) is None
