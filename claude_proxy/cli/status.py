"""`claude-proxy status`: whether the daemon runs, where, with which credential, and its figures."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import click
from msgspec import structs

from claude_proxy import __version__
from claude_proxy.cli import output
from claude_proxy.cli.env import openai_url
from claude_proxy.cli.main import NOT_ANSWERING, NOT_RUNNING
from claude_proxy.cli.report import KINDS
from claude_proxy.errors import ServiceError
from claude_proxy.paths import paths
from claude_proxy.service import choice, daemon, probe
from claude_proxy.service.record import Record


@click.command(short_help="Show whether the daemon runs, and its figures.")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Show whether the daemon runs, and its figures.

    Exits with 0 when it runs, with 3 when it does not, and with 4 when it runs and does not answer.
    """
    record = daemon.find(paths())
    service = choice.installed(os.environ)
    waiting = record is None and service is not None and service.is_waiting()
    answer, problem = _ask(record) if record else (None, None)
    if as_json:
        installed = service.name if service else None
        output.show(json.dumps({**_as_json(record, answer), "service": installed, "waiting": waiting}, indent=2))
    elif record is None:
        output.show("claude-proxy is not running" + ("; the first request will start it" if waiting else ""))
    else:
        for line in _lines(record, answer, problem):
            output.show(line)
    if record is None:
        ctx.exit(NOT_RUNNING)
    if answer is None:
        ctx.exit(NOT_ANSWERING)


def _ask(record: Record) -> tuple[dict[str, Any] | None, str | None]:
    """The daemon's answer, or why there is none. Raises ServiceError when the key that it demands cannot be read."""
    if record.url is None:
        return None, "it does not listen, because it is starting or stopping"
    probe.key_headers(record.key_file)
    try:
        answer = probe.get_json(record, "/status")
    except ServiceError as exc:
        return None, exc.message
    if answer is None:
        return None, "its answer cannot be read"
    if isinstance(error := answer.get("error"), dict):
        return None, str(error.get("message"))
    return answer, None


def _as_json(record: Record | None, answer: dict[str, Any] | None) -> dict[str, Any]:
    if record is None:
        return {"running": False}
    facts = structs.asdict(record)
    for internal in ("instance", "started", "flags"):
        del facts[internal]
    return {
        "running": True,
        "answers": answer is not None,
        **facts,
        "base_url": openai_url(record.url) if record.url else None,
        "status": answer,
    }


def _lines(record: Record, answer: dict[str, Any] | None, problem: str | None = None) -> list[str]:
    how = {"background": "in the background", "foreground": "in the foreground"}
    uptime = duration(time.time() - record.since)
    rows = [
        ["running", f"pid {record.pid}, {how.get(record.manager, f'under {record.manager}')}, for {uptime}"],
        ["base URL", openai_url(record.url) if record.url else "none"],
    ]
    if answer is None:
        rows.append(["answers", f"no: {problem}"])
    else:
        rows += [[title, text] for title, text in _facts(answer) if text]
    return output.columns(rows)


def _facts(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the daemon reports. It may be of another version than this command: what is absent is left out."""
    yield "version", _version(str(answer.get("version", "")))
    if isinstance(upstream := answer.get("upstream"), dict):
        yield "upstream", _upstream(upstream)
    if isinstance(backend := answer.get("backend"), dict):
        yield "backend", _backend(backend)
    if isinstance(credential := answer.get("credential"), dict):
        yield "credential", _credential(credential)
        if credential.get("kind") == "oauth":
            yield "terms", "a plan login may be refused outside Claude Code; `claude-proxy credentials` says more"
    yield "requests", f"{answer.get('requests', 0)} served, {answer.get('open_requests', 0)} open"
    if isinstance(clients := answer.get("clients"), dict) and clients:
        yield "clients", ", ".join(f"{name} {count}" for name, count in clients.items())
    if isinstance(usage := answer.get("usage"), dict):
        yield from _usage(usage)
    if isinstance(limits := answer.get("rate_limits"), dict) and isinstance(plan := limits.get("plan"), dict):
        yield "plan limits", _plan(plan)
    if isinstance(error := answer.get("last_error"), dict):
        yield "last error", f"{error.get('message')} ({_ago(error.get('at'))})"


def _usage(usage: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if usage.get("problem"):
        yield "usage", f"not recorded at present: {usage['problem']}"
    for budget in usage.get("budgets") or ():
        dollars = budget.get("unit") == "usd"
        amounts = [f"{budget[name]:,.2f}" if dollars else f"{budget[name]:,.0f}" for name in ("spent", "limit")]
        left = duration(budget["resets_at"] - time.time())
        unit = "USD at list price" if dollars else "tokens"
        yield "budget", f"{amounts[0]} of {amounts[1]} {unit} this {budget.get('period')}, resets in {left}"
    if until := usage.get("extra_usage_until"):
        yield "extra usage", f"upstream bills requests outside of the plan, for {duration(until - time.time())} more"


def _plan(plan: dict[str, Any]) -> str:
    windows = [
        f"{name} {used:.0%}"
        + (f" (resets in {duration(reset - time.time())})" if (reset := window.get("reset")) else "")
        for name, window in (plan.get("windows") or {}).items()
        if (used := window.get("utilization")) is not None
    ]
    return f"{', '.join(windows) or plan.get('status')}; told {_ago(plan.get('at'))}"


def _version(text: str) -> str:
    return text if text == __version__ else f"{text}; {__version__} is installed: `claude-proxy restart` switches to it"


def _backend(backend: dict[str, Any]) -> str:
    """Who answers and why; empty where upstream is asked directly, which the line before says."""
    if backend.get("answers") != "claude_cli":
        return ""
    version = f" {backend['version']} ({backend.get('program')})" if backend.get("version") else ""
    why = backend.get("reason") or "`backend = cli`"
    return f"the Claude CLI{version} answers: {why}"


def _upstream(upstream: dict[str, Any]) -> str:
    if upstream.get("simulator"):
        return "the built-in simulator; its answers are made up"
    return f"{upstream.get('base_url')}" + ("" if upstream.get("is_anthropic") else " (not Anthropic's own)")


def _credential(credential: dict[str, Any]) -> str:
    if credential.get("found", False) is None:
        return str(credential.get("message"))
    if not credential.get("found"):
        return f"none: {credential.get('message')}"
    kind = KINDS.get(str(credential.get("kind")), "")
    plan = f", {credential['subscription']} plan" if credential.get("subscription") else ""
    expires = credential.get("expires_at")
    return f"{credential.get('source')} ({kind}{plan})" + (f", {_expiry(expires)}" if expires else "")


def _expiry(at: float) -> str:
    left = at - time.time()
    return f"expires in {duration(left)}" if left > 0 else f"expired {duration(-left)} ago"


def _ago(at: object) -> str:
    return f"{duration(time.time() - at)} ago" if isinstance(at, int | float) else "at an unknown time"


def duration(seconds: float) -> str:
    """`seconds` with one or two units: 42 s, 5 min, 3 h 20 min, 2 d 4 h."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"
