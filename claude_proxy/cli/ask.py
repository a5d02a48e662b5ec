"""`claude-proxy ask`: one question, its answer as it comes."""

import http.client
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.cli.start import Running, running
from claude_proxy.errors import ProxyError, UpstreamDisconnected, UpstreamUnreachable
from claude_proxy.service import probe

SILENCE = 900.0  # seconds; the daemon says something every few of them
# What a terminal would act on. An answer is foreign text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.command(short_help="Ask one question through the daemon.")
@click.option(
    "-m", "--model", default="sonnet", show_default=True, help="which model; `claude-proxy models` lists them"
)
@click.option("-s", "--system", help="what the model is to know first")
@setting_flags
@click.argument("question", nargs=-1)
def ask(*, flags: Mapping[str, object], model: str, system: str | None, question: tuple[str, ...]) -> None:
    """Ask one question through the daemon, which is started if it does not run.

    What comes on stdin is put below the question, or is the question: `git diff | claude-proxy ask "any bugs?"`
    """
    text = _text(question)
    up = running(load(flags))
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": model, "stream": True, "messages": [*messages, {"role": "user", "content": text}]}
    ended = True
    for piece in _answer(up, body):
        sys.stdout.write(_CONTROL.sub("", piece) if sys.stdout.isatty() else piece)
        sys.stdout.flush()
        ended = piece.endswith("\n")
    if not ended:
        sys.stdout.write("\n")


def _text(question: tuple[str, ...]) -> str:
    parts = [" ".join(question)]
    if not sys.stdin.isatty():
        parts.append(sys.stdin.read())
    text = "\n\n".join(part for part in parts if part.strip())
    if not text:
        raise click.UsageError("there is no question: give it as an argument or on stdin")
    return text


def _answer(up: Running, body: dict[str, Any]) -> Iterator[str]:
    """The pieces of the answer's text. Raises ProxyError when it does not come, or not to its end."""
    connection = probe.connect(up.url, SILENCE)
    try:
        headers = {**probe.HEADERS, "Content-Type": "application/json", **probe.key_headers(up.key_file)}
        connection.request("POST", "/openai/v1/chat/completions", json.dumps(body).encode(), headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _refusal(response.read())
        yield from _pieces(response)
    except (OSError, http.client.HTTPException) as exc:
        raise UpstreamUnreachable(f"the daemon does not answer: {exc}", hint="see `claude-proxy logs`") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise UpstreamDisconnected("the answer is garbled", hint="see `claude-proxy logs`") from exc
    finally:
        connection.close()


def _pieces(response: http.client.HTTPResponse) -> Iterator[str]:
    for line in response:
        if not line.startswith(b"data: "):
            continue
        data = line.removeprefix(b"data: ").strip()
        if data == b"[DONE]":
            return
        chunk = json.loads(data)
        if "error" in chunk:
            raise _refusal(data)
        for choice in chunk["choices"]:
            yield choice["delta"].get("content") or ""
    raise UpstreamDisconnected("the answer ended before its end")


def _refusal(body: bytes) -> ProxyError:
    try:
        return ProxyError(str(json.loads(body)["error"]["message"]))
    except (ValueError, KeyError, TypeError):
        return ProxyError("the daemon answered with what is no error of its own", hint="see `claude-proxy logs`")
