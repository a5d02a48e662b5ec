"""Rules for max_tokens, sampling, stop sequences, metadata, output format and speed."""

import re

from claude_proxy.simulator import json_schema_rules
from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.prompt_cache import input_tokens
from claude_proxy.simulator.request_validators import SAMPLING
from claude_proxy.simulator.valid_request import Request, iter_blocks

_DOCS = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"\+?\(?\d{1,4}\)?([ .-]?\(?\d{2,4}\)?){2,5}")


def check(request: Request) -> None:
    for rule in (_max_tokens, _sampling, _sampling_while_thinking, _stop_sequences, _user_id, _format, _speed):
        rule(request)


def _max_tokens(request: Request) -> None:
    requested, bound = request.body.get("max_tokens", 0), request.model.max_tokens
    if requested > bound:
        what = f"which is the maximum allowed number of output tokens for {request.model.id}"
        raise invalid(f"max_tokens: {requested} > {bound}, {what}")


def prompt_length(request: Request) -> None:
    """The prompt must fit into the context window; prompt plus max_tokens may exceed it."""
    tokens, bound = input_tokens(request), request.model.context
    if tokens > bound:
        raise invalid(f"prompt is too long: {tokens} tokens > {bound} maximum")


def _sampling(request: Request) -> None:
    given = [name for name in SAMPLING if name in request.body]
    if {"temperature", "top_p"} <= set(given):
        raise invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if request.model.sampling:
        return
    for name in given:
        if not (name == "temperature" and request.body[name] == 1):  # its default is tolerated
            raise invalid(f"`{name}` is deprecated for this model.")


def _sampling_while_thinking(request: Request) -> None:
    if not request.thinks:
        return
    when = f"when thinking is enabled or in adaptive mode. {_DOCS}"
    if request.body.get("temperature", 1) != 1:
        raise invalid(f"`temperature` may only be set to 1 {when}")
    if request.body.get("top_p", 1) < 0.95:
        raise invalid(f"`top_p` must be greater than or equal to 0.95 or unset {when}")
    if "top_k" in request.body:
        raise invalid(f"`top_k` must be unset {when}")


def _stop_sequences(request: Request) -> None:
    if any(not stop.strip() for stop in request.body.get("stop_sequences") or []):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def _user_id(request: Request) -> None:
    """user_id must be an opaque id. (The rule about unprintable characters is documented, its error text is ours.)"""
    user = (request.body.get("metadata") or {}).get("user_id") or ""
    if not user.isprintable():
        raise invalid("metadata.user_id: String should contain printable characters only")
    for pattern, what in ((_EMAIL, "an email address"), (_PHONE, "a phone number")):
        if pattern.fullmatch(user):
            raise invalid(
                f"metadata.user_id: user_id appears to contain {what}. Please send a uuid or hash value instead."
            )


def _format(request: Request) -> None:
    """Structured output: a supported schema, no citations, no prefill. (The last two error texts are ours.)"""
    output_format = (request.body.get("output_config") or {}).get("format")
    if output_format is None:
        return
    json_schema_rules.check(output_format["schema"], "output_config.format.schema")
    for _, _, block in iter_blocks(request.messages):
        if (block.get("citations") or {}) and block["type"] == "document" and block["citations"].get("enabled"):
            raise invalid("output_config.format: Output format is not supported together with citations")
    if request.messages[-1]["role"] == "assistant" and request.model.prefill:
        raise invalid("output_config.format: Output format is not supported together with assistant message prefill")


def _speed(request: Request) -> None:
    if request.body.get("speed") == "fast" and not request.model.fast:
        raise invalid(f"speed: 'fast' is not supported for {request.model.id}")
