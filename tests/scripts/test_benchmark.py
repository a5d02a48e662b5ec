"""The benchmark measures what it says, and takes no answer for granted."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmark import failures, report, script
from scripts.benchmark.load import Answer, dechunked
from scripts.benchmark.requests import Wrong, request, verify


def upstream_stream(kind: str, count: int) -> bytes:
    return dechunked(b"".join(script.stream(kind, count)))


def openai_stream(count: int, *, reason: str = "stop", end: bytes = b"data: [DONE]\n\n") -> bytes:
    deltas = [{"role": "assistant", "content": ""}, *({"content": token} for token in script.tokens("text", count)), {}]
    reasons = [*[None] * (count + 1), reason]
    chunks = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": why}]}
        for delta, why in zip(deltas, reasons, strict=True)
    ]
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + end


def check(body: bytes, dialect: str, *, kind: str = "text", count: int = 9, status: int = 200) -> None:
    verify(Answer(0, status=status, body=body), dialect, stream=True, kind=kind, count=count)  # type: ignore[arg-type]


def test_a_whole_answer_is_right():
    check(openai_stream(9), "openai")
    for kind in ("text", "tool", "thinking"):
        check(upstream_stream(kind, 9), "anthropic", kind=kind)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(openai_stream(8), id="a token is missing"),
        pytest.param(openai_stream(10), id="a token too many"),
        pytest.param(openai_stream(9, end=b""), id="no [DONE]"),
        pytest.param(openai_stream(9, end=b"data: [DONE]\n\ndata: {}\n\n"), id="something after [DONE]"),
        pytest.param(openai_stream(9, reason="length"), id="another finish reason"),
    ],
)
def test_an_answer_that_is_not_whole_is_wrong(body: bytes):
    with pytest.raises(Wrong):
        check(body, "openai")


def test_an_error_is_wrong():
    with pytest.raises(Wrong, match="status 500"):
        check(openai_stream(9), "openai", status=500)


def test_an_upstream_stream_that_is_cut_is_wrong():
    with pytest.raises(Wrong):
        check(upstream_stream("text", 9)[:-40], "anthropic")


def test_a_coalesced_stream_holds_the_same_bytes():
    assert dechunked(script.coalesced(500)) == upstream_stream("text", 500)


def test_both_dialects_ask_for_the_same_and_the_big_request_is_big():
    for dialect in ("openai", "anthropic"):
        head, _, body = request(dialect, 1, stream=False, big=True).partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head
        assert 0.9e6 < len(body) < 1.4e6
        assert len(json.loads(body)["messages"]) == 400
        assert len(json.loads(body)["tools"]) == 20


MEASURED = {
    "text": {"pass": {"cpu_us_per_event": [1.0, 2.0, 9.0]}, "daemon": {"cpu_us_per_event": [1.5, 4.0, 9.0]}},
    "parallel": {"pass": {"requests_per_s": [100.0]}, "daemon": {"requests_per_s": [70.0]}},
    "start": {"daemon": {"seconds": [0.5]}},
}


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    by_scenario = {line.row.scenario: line for line in report.lines(MEASURED)}
    assert (by_scenario["text"].baseline, by_scenario["text"].daemon) == (2.0, 4.0)
    assert by_scenario["text"].compared == 1.5
    assert by_scenario["text"].is_met


def test_a_bound_holds_in_its_own_direction():
    by_scenario = {line.row.scenario: line for line in report.lines(MEASURED)}
    assert not by_scenario["parallel"].is_met
    assert by_scenario["start"].is_met
    assert "| 0.70 | ≥ 0.8 | missed |" in report.table(MEASURED)


def test_a_quick_run_measures_both_and_writes_every_value(tmp_path: Path):
    file = tmp_path / "figures.json"
    command = [
        sys.executable,
        "-m",
        "scripts.benchmark",
        "--quick",
        "--json",
        str(file),
        "text",
        "responses",
        "paced",
        "single",
    ]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| streamed text, CPU per event |" in done.stdout
    measured = json.loads(file.read_text())["measured"]
    assert measured.keys() == {"text", "responses", "paced", "single"}
    assert all(measured[scenario].keys() == {"pass", "daemon"} for scenario in measured)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins no process to a core")
def test_the_proxies_have_a_core_that_neither_load_nor_upstream_runs_on():
    program = (
        "import json, os; from scripts.benchmark import processes as p; p.prepare()\n"
        "with p.upstream() as up, p.baseline(up.port) as proxy:\n"
        "    pids = (0, up.pid, proxy.pid)\n"
        "    print(json.dumps([sorted(os.sched_getaffinity(pid)) for pid in pids]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    load, upstream, proxy = json.loads(done.stdout)
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core for all of them")
    assert load == upstream
    assert not set(load) & set(proxy)
    assert len(proxy) == 1


def test_a_short_soak_finds_nothing_held():
    command = [
        sys.executable,
        "-m",
        "scripts.benchmark.soak",
        "--minutes=0",
        "--streams=2",
        "--idle=2",
        "--failures=24",
        "--slack=20",
    ]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 failed requests of 1 MB: RSS " in done.stdout
    assert "after: " in done.stdout


@pytest.mark.parametrize(("growth", "kept"), [(failures.ALLOWED, False), (failures.ALLOWED + 1, True)])
async def test_memory_that_does_not_come_back_fails_the_soak(growth: float, kept: bool):
    class Growing:
        port, pid = 0, 0
        sizes = iter([100.0, 100.0 + growth])

        def rss(self) -> float:
            return next(self.sizes)

    growing: Any = Growing()
    session: Any = None
    phase = failures.Failures(session, growing, warm_up=0, patience=0)
    with pytest.raises(failures.Kept, match="31 MB of failed requests are still held") if kept else nullcontext():
        await phase.run(0)
