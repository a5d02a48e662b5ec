"""`claude-proxy ask`: one question, and its answer as it is streamed."""

import http.client
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from claude_proxy.cli.report import ensure_running
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.errors import ProxyError, UpstreamDisconnected, UpstreamUnreachable
from claude_proxy.service import probe
from claude_proxy.service.record import Record

SILENCE = 900.0  # seconds; the daemon sends comments much more often
# Characters that a terminal acts on: an answer is foreign text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.command(short_help="Ask one question through the daemon.")
@click.option("-m", "--model", default="sonnet", show_default=True, help="the model; `claude-proxy models` lists them")
@click.option("-s", "--system", help="system prompt")
@setting_flags
@click.argument("question", nargs=-1)
def ask(*, flags: Mapping[str, object], model: str, system: str | None, question: tuple[str, ...]) -> None:
    """Ask one question through the daemon, which is started if it does not run.

    Text from stdin is appended to the question, or is the question: `git diff | claude-proxy ask "any bugs?"`
    """
    text = _read_question(question)
    running, _ = ensure_running(load(flags))
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": model, "stream": True, "messages": [*messages, {"role": "user", "content": text}]}
    ended = True
    for delta in _stream_answer(running.record, body):
        sys.stdout.write(_CONTROL.sub("", delta) if sys.stdout.isatty() else delta)
        sys.stdout.flush()
        ended = delta.endswith("\n")
    if not ended:
        sys.stdout.write("\n")


def _read_question(question: tuple[str, ...]) -> str:
    parts = [" ".join(question)]
    if not sys.stdin.isatty():
        parts.append(sys.stdin.read())
    text = "\n\n".join(part for part in parts if part.strip())
    if not text:
        raise click.UsageError("no question: pass it as an argument or on stdin")
    return text


def _stream_answer(record: Record, body: dict[str, Any]) -> Iterator[str]:
    """The deltas of the answer's text. Raises ProxyError when there is no answer, or it is cut off."""
    headers = {**probe.HEADERS, "Content-Type": "application/json", **probe.key_headers(record.key_file)}
    connection = probe.connect(record, SILENCE)
    try:
        connection.request("POST", "/openai/v1/chat/completions", json.dumps(body).encode(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _error_in(response.read())
        yield from _read_deltas(response)
    except (OSError, http.client.HTTPException) as exc:
        raise UpstreamUnreachable(f"the daemon does not answer: {exc}", hint="see `claude-proxy logs`") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise UpstreamDisconnected("the answer cannot be read", hint="see `claude-proxy logs`") from exc
    finally:
        connection.close()


def _read_deltas(response: http.client.HTTPResponse) -> Iterator[str]:
    for line in response:
        if not line.startswith(b"data: "):
            continue
        data = line.removeprefix(b"data: ").strip()
        if data == b"[DONE]":
            return
        chunk = json.loads(data)
        if "error" in chunk:
            raise _error_in(data)
        for choice in chunk["choices"]:
            yield choice["delta"].get("content") or ""
    raise UpstreamDisconnected("the answer was cut off")


def _error_in(body: bytes) -> ProxyError:
    try:
        return ProxyError(str(json.loads(body)["error"]["message"]))
    except (ValueError, KeyError, TypeError):
        return ProxyError("the daemon's answer cannot be read", hint="see `claude-proxy logs`")
