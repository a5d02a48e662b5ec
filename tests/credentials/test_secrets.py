"""No secret is left anywhere: a whole run with one in every source, and everything it produced looked through."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRETS = {
    name: f"sk-ant-oat01-made-up-{name}-" + "S" * 20
    for name in ("token", "renewed", "refresh", "console", "variable", "helper", "profile", "kept", "damaged")
}

RING = """
import os, pathlib, sys
from keyring.backend import KeyringBackend

class Noting(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        note = pathlib.Path(__file__).with_name("seen-by-the-keyring")
        note.write_text(f"{sys.argv} {dict(os.environ)}")
        print("a backend may print", file=sys.stderr)
        return os.environ.get("KEPT_FOR_THE_TEST")
    set_password = delete_password = None
"""

# A run: everything is looked at, something is refused, renewed, and fails; all of it logged in full.
PROGRAM = """if True:
    import asyncio, json, logging, os, pathlib, sys, traceback
    from claude_proxy import config
    from claude_proxy.credentials.chain import credential_chain
    from claude_proxy.errors import ProxyError

    logging.basicConfig(level=logging.DEBUG, filename=sys.argv[1])

    async def main():
        chain = credential_chain(config.Config(), os.environ)
        try:
            credential = await chain.credential()
            print(credential, vars(credential), [credential], f"{credential.secret}")
            print(await chain.refused(credential))
        except ProxyError as exc:
            traceback.print_exception(exc)
            print(exc.text, exc.args)
        for finding in await chain.survey():
            print(finding, finding.detail, finding.hint)

    asyncio.run(main())
"""


def store(home: Path, document: object) -> None:
    file = home / ".claude/.credentials.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document))


def login(token: str, expires_at: int = 1000) -> dict[str, object]:
    return {"claudeAiOauth": {"accessToken": token, "refreshToken": SECRETS["refresh"], "expiresAt": expires_at}}


def stored_login(home: Path, environ: dict[str, str]) -> None:
    store(home, login(SECRETS["token"]))
    environ["ANTHROPIC_BASE_URL"] = "https://api.anthropic.com"


def damaged_login(home: Path, environ: dict[str, str]) -> None:
    store(home, json.dumps(login(SECRETS["damaged"]))[:-3])


def broken_login(home: Path, environ: dict[str, str]) -> None:
    store(home, login(f"{SECRETS['damaged']}\r\nx-evil: 1"))


def console_key(home: Path, environ: dict[str, str]) -> None:
    (home / ".claude.json").write_text(json.dumps({"primaryApiKey": SECRETS["console"]}))


def variable(home: Path, environ: dict[str, str]) -> None:
    environ["ANTHROPIC_API_KEY"] = SECRETS["variable"]
    store(home, login(SECRETS["token"]))


def broken_variable(home: Path, environ: dict[str, str]) -> None:
    environ["ANTHROPIC_API_KEY"] = f"{SECRETS['variable']} {SECRETS['variable']}"


def helper(home: Path, environ: dict[str, str]) -> None:
    store(home, {})
    (home / ".claude/settings.json").write_text(json.dumps({"apiKeyHelper": "cat ~/for-the-helper"}))
    (home / "for-the-helper").write_text(SECRETS["helper"])


def broken_helper(home: Path, environ: dict[str, str]) -> None:
    helper(home, environ)
    command = "cat ~/for-the-helper; cat ~/for-the-helper >&2; exit 3"
    (home / ".claude/settings.json").write_text(json.dumps({"apiKeyHelper": command}))


def profile(home: Path, environ: dict[str, str]) -> None:
    directory = home / ".config/anthropic"
    for name, document in {
        "configs": {"authentication": {"type": "user_oauth"}},
        "credentials": {"access_token": SECRETS["profile"], "refresh_token": SECRETS["refresh"], "expires_at": 1},
    }.items():
        (directory / name).mkdir(parents=True)
        (directory / name / "default.json").write_text(json.dumps(document))


def kept(home: Path, environ: dict[str, str]) -> None:
    environ["KEPT_FOR_THE_TEST"] = SECRETS["kept"]


@pytest.mark.parametrize(
    "arrange",
    [
        stored_login,
        damaged_login,
        broken_login,
        console_key,
        variable,
        broken_variable,
        helper,
        broken_helper,
        profile,
        kept,
    ],
)
def test_nothing_that_a_run_produces_holds_a_secret(home, tmp_path, executable, arrange):
    (tmp_path / "noting.py").write_text(RING)
    note = 'echo "$0 $*" >> ~/seen-by-programs; env >> ~/seen-by-programs'
    renewed = json.dumps(login(SECRETS["renewed"], 4_000_000_000_000))
    executable("claude", f"#!/bin/sh\n{note}\necho '{renewed}' > ~/.claude/.credentials.json\n", tmp_path / "bin")
    executable("ant", f"#!/bin/sh\n{note}\necho '{SECRETS['profile']}'\n", tmp_path / "bin")
    environ = {
        **os.environ,
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "PYTHON_KEYRING_BACKEND": "noting.Noting",
    }
    arrange(home, environ)
    given = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    log = home / "log"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log)], env=environ, capture_output=True, timeout=60, check=True
    )
    produced = {"stdout": done.stdout, "stderr": done.stderr}
    seen = tmp_path / "seen-by-the-keyring"
    produced[seen.name] = seen.read_bytes().replace(environ.get("KEPT_FOR_THE_TEST", "\0").encode(), b"")
    for file in home.rglob("*"):
        if file.is_file() and file not in given:
            produced[str(file)] = file.read_bytes()
    assert produced["stdout"]
    assert log.exists()
    for where, text in produced.items():
        found = [name for name, secret in SECRETS.items() if secret.encode() in text or secret[-12:].encode() in text]
        assert not found, where
