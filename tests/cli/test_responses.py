import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from claude_proxy.cli.responses import responses
from claude_proxy.errors import NotFound
from claude_proxy.paths import paths
from claude_proxy.store.responses import StoredResponse
from claude_proxy.store.store import Store
from tests.cli.conftest import Run


def call(*arguments: str) -> Result:
    return CliRunner().invoke(responses, arguments, catch_exceptions=False)


def fill(count: int) -> None:
    async def put() -> None:
        store = Store(paths().store_file)
        for number in range(count):
            previous = f"resp_{number - 1}" if number else None
            body = b'{"id":"resp_%d","output":["answer"]}' % number
            stored = StoredResponse(f"resp_{number}", 1e9 + number, "completed", body, b'["question"]', None, previous)
            await store.responses.put(stored)
        await store.close()

    asyncio.run(put())


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_the_newest_responses_are_listed(arguments: list[str]):
    fill(3)
    done = call(*arguments)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"3 responses and 0 conversations in {paths().store_file} (")
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["ID", "TIME", "STATUS", "BYTES", "CONTINUES"]
    assert [(line.split()[0], line.split()[-1]) for line in lines] == [
        ("resp_2", "resp_1"),
        ("resp_1", "resp_0"),
        ("resp_0", "-"),
    ]
    assert "question" not in done.stdout


def test_the_list_is_bounded_and_can_be_json():
    fill(3)
    found = json.loads(call("list", "--json", "-n", "1").stdout)
    assert (found["file"], found["responses"], found["oldest"]) == (str(paths().store_file), 3, 1e9)
    assert [each["id"] for each in found["data"]] == ["resp_2"]


def test_one_response_is_shown_with_what_was_sent():
    fill(1)
    assert json.loads(call("show", "resp_0").stdout) == {
        "response": {"id": "resp_0", "output": ["answer"]},
        "input": ["question"],
    }


def test_an_unknown_response_is_an_error():
    with pytest.raises(NotFound, match="no response is stored as resp_9"):
        call("show", "resp_9")
    fill(1)
    with pytest.raises(NotFound, match="no response is stored as resp_9"):
        call("show", "resp_9")


def test_without_a_store_nothing_is_listed_and_none_is_made():
    assert call().stderr.startswith("0 responses")
    assert call("purge", "--yes").stderr == "nothing is stored\n"
    assert not paths().store_file.exists()


def test_purging_needs_a_confirmation():
    fill(2)
    done = call("purge")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert call().stderr.startswith("2 responses")


def test_purging_deletes_everything():
    fill(2)
    assert call("purge", "--yes").stderr == "deleted 2 responses and conversations\n"
    assert call().stderr.startswith("0 responses")


def test_a_damaged_store_is_told_and_left_alone(run: Run, home: Path):
    file = paths().store_file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database at all " * 100)
    done = run("responses")
    assert done.returncode == 1
    assert done.stderr == "error: the store cannot be used: the file is damaged\n"
    assert file.exists()
