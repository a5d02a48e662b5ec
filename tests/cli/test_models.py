import json

from tests.cli.conftest import Run


def test_the_table_names_limits_and_abilities(run: Run):
    assert run("start", "--simulator", "--port", "0").returncode == 0
    shown = run("models")
    assert shown.returncode == 0, shown.stderr
    head, *rows = shown.stdout.splitlines()
    assert head.split() == ["MODEL", "NAME", "INPUT", "OUTPUT", "ABILITIES"]
    [sonnet] = [row for row in rows if row.startswith("claude-sonnet-5 ")]
    assert "1,000,000" in sonnet
    assert "128,000" in sonnet
    assert "thinking, effort, images, PDFs, schemas" in sonnet


def test_json_is_upstreams_own_list(run: Run):
    assert run("start", "--simulator", "--port", "0").returncode == 0
    listed = json.loads(run("models", "--json").stdout)
    assert {model["type"] for model in listed} == {"model"}
    assert all(model["lifecycle"] != "retired" for model in listed)


def test_without_a_credential_the_error_says_what_to_do(run: Run):
    failed = run("models")
    assert failed.returncode != 0
    assert failed.stdout == ""
    assert "error: " in failed.stderr
    assert "hint: " in failed.stderr
