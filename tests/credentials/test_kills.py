"""kill -9 at any moment: the store of logins is only ever what its owner wrote."""

import hashlib
import os
import subprocess
import sys

KILLS = int(os.environ.get("KILLS", "60"))  # to run more: KILLS=2000 pytest …

# Plays the Claude CLI: writes the next login, as the CLI does, and notes what it wrote. Each login is about to
# expire, so that every look asks for the next one.
OWNER = """#!/bin/sh
cd "$HOME/.claude" || exit 1
number=$(($(wc -l < ../written) + 1))
printf '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-made-up-%s","expiresAt":1000}}' "$number" > ".new.$$"
sha256sum < ".new.$$" >> ../written
mv ".new.$$" .credentials.json
"""

# Forks a process that asks for a credential again and again, kills it at a random moment, and repeats that.
KILLER = """if True:
    import asyncio, os, pathlib, random, signal, sys, time
    from claude_proxy import config
    from claude_proxy.credentials import claude_cli_keyrings
    from claude_proxy.credentials.chain import CredentialChain
    from claude_proxy.credentials.claude_cli_paths import claude_cli_paths
    from claude_proxy.credentials.stored_login import StoredLogin, claude_cli_renewal
    from claude_proxy.errors import CredentialError

    home, kills = pathlib.Path(os.environ["HOME"]), int(sys.argv[1])
    paths = claude_cli_paths(os.environ, home)

    async def ask():
        while True:
            renewal = claude_cli_renewal(paths, os.environ, home)
            try:
                await CredentialChain([StoredLogin(paths, renewal=renewal)], config.Config()).credential()
            except CredentialError:
                pass

    chance = random.Random(7)
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            asyncio.run(ask())
        time.sleep(chance.uniform(0, 0.04))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(paths.login_file.read_bytes().hex(), flush=True)
"""


def test_the_store_is_what_its_owner_wrote_whenever_we_die(claude_cli, executable):
    claude_cli.log_in("sk-ant-oat01-made-up-0", expiresAt=1000)
    written = claude_cli.home / "written"
    first = claude_cli.paths.login_file.read_bytes()
    written.write_text(f"{hashlib.sha256(first).hexdigest()}  -\n")
    executable("claude", OWNER, claude_cli.home / "bin")
    environ = claude_cli.environ | {"PATH": f"{claude_cli.home}/bin:/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(KILLS)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    seen = [hashlib.sha256(bytes.fromhex(line)).hexdigest() for line in done.stdout.split()]
    known = {line.split()[0] for line in written.read_text().splitlines()}
    assert len(seen) == KILLS
    assert set(seen) <= known
    assert len(known) > 1
    assert {file.name for file in claude_cli.paths.store.iterdir() if not file.name.startswith(".new.")} == {
        ".credentials.json"
    }
