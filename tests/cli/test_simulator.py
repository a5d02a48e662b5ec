import json
import urllib.request

from tests.cli.conftest import Run, Spawn


def test_it_prints_its_address_once_it_answers(spawn: Spawn):
    process = spawn("simulator", "--port", "0")
    assert process.stdout is not None
    name, _, url = process.stdout.readline().strip().partition("=")
    assert name == "ANTHROPIC_BASE_URL"
    request = urllib.request.Request(
        f"{url}/v1/models", headers={"x-api-key": "any", "anthropic-version": "2023-06-01"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert json.load(reply)["data"]


def test_only_this_machine_may_reach_it(run: Run):
    refused = run("simulator", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "0.0.0.0 is not a loopback address" in refused.stderr


def test_a_taken_port_is_an_error_before_anything_starts(run: Run, spawn: Spawn):
    process = spawn("simulator", "--port", "0")
    assert process.stdout is not None
    port = process.stdout.readline().strip().rpartition(":")[2]
    refused = run("simulator", "--port", port)
    assert refused.returncode not in (0, 2)
    assert port in refused.stderr
