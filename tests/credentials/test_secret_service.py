"""A key of the user's in a real Secret Service: open, locked, hanging and absent."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.credentials.contract import SECRET

SESSION = Path(__file__).with_name("secret_service.sh")

PROGRAM = """if True:
    import json, sys
    from claude_proxy.credentials.base import Secret
    from claude_proxy.credentials.system_keyring import SystemKeyring, forget, remember
    from claude_proxy.errors import CredentialUnusable

    def look():
        finding = SystemKeyring(timeout=float(sys.argv[2])).look()
        return [finding.state, finding.credential.secret.reveal() if finding.credential else finding.detail]

    def store():
        try:
            return remember(Secret(sys.argv[1]))
        except CredentialUnusable as exc:
            return exc.message

    said = [look()]
    if len(sys.argv) > 3:
        said += [store(), look(), forget(), look(), forget()]
    print(json.dumps(said))
"""


def said(*session: str, deadline: str = "5", more: tuple[str, ...] = (), **environ: str) -> list[object]:
    """What PROGRAM says inside `session`."""
    done = subprocess.run(
        [*session, sys.executable, "-c", PROGRAM, SECRET, deadline, *more],
        env={name: text for name, text in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"} | environ,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert isinstance(answer, list)
    return answer


@pytest.mark.component("secret-service")
def test_a_key_is_kept_found_and_forgotten():
    nothing = ["not here", "no entry claude-proxy"]
    expected = [nothing, "SecretService Keyring", ["found", SECRET], True, nothing, False]
    assert said(str(SESSION), "open", more=("store",)) == expected


@pytest.mark.component("secret-service")
def test_a_locked_keyring_is_passed_over_without_a_dialog():
    assert said(str(SESSION), "locked") == [["cannot look", "the keyring is locked"]]


@pytest.mark.component("secret-service")
def test_a_keyring_that_hangs_is_given_up():
    assert said(str(SESSION), "hanging", deadline="2") == [["cannot look", "the keyring did not answer within 2 s"]]


def test_a_session_without_a_keyring_is_passed_over(tmp_path):
    assert said(DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/absent")[0][0] == "cannot look"  # type: ignore[index]


def test_a_bus_that_accepts_and_never_answers_is_given_up(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/bus")
        silent.listen()
        found = said(deadline="2", DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/bus")
    assert found[0][0] == "cannot look"  # type: ignore[index]
