import asyncio
import os
import sys

import pytest

from claude_proxy.upstream.claude_cli.lifeline import KernelLifeline, WatchdogLifeline, lifeline


def test_each_system_has_its_own() -> None:
    assert isinstance(lifeline("linux"), KernelLifeline)
    assert isinstance(lifeline("darwin"), WatchdogLifeline)


async def test_the_kernels_runs_the_command_by_the_launcher() -> None:
    line = KernelLifeline()
    command = line.command(["/bin/echo", "x"])
    assert command[0] == sys.executable
    assert command[-3:] == [str(os.getpid()), "/bin/echo", "x"]
    await line.started(1)
    line.ended(1)
    await line.close()


async def test_the_watchdog_kills_what_still_runs_when_it_is_closed() -> None:
    line = WatchdogLifeline()
    assert line.command(["/bin/sleep", "60"]) == ["/bin/sleep", "60"]
    child = await asyncio.create_subprocess_exec("/bin/sleep", "60", start_new_session=True)
    other = await asyncio.create_subprocess_exec("/bin/sleep", "60", start_new_session=True)
    try:
        for each in (child, other):
            await line.started(each.pid)
        line.ended(other.pid)
        await line.close()
        assert await asyncio.wait_for(child.wait(), 2) == -9
        assert other.returncode is None
    finally:
        other.kill()
        await other.wait()


@pytest.mark.parametrize("kind", [KernelLifeline, WatchdogLifeline])
async def test_one_without_processes_closes(kind: type[KernelLifeline | WatchdogLifeline]) -> None:
    await kind().close()
