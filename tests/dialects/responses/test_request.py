import json
from typing import Any

from tests.dialects.responses.case import sent, translated, translated_body


def echo(**fields: Any) -> dict[str, Any]:
    return {name: json.loads(bytes(value)) for name, value in translated(fields).reply.echo.items()}


def test_the_response_repeats_the_request_on_one_line():
    body = b'{\n "model": "claude-opus-4-8",\n "input": "Hi",\n "metadata": {\n  "a": "b"\n }\n}'
    repeated = translated_body(body).translations[0].reply.echo
    assert not any(b"\n" in bytes(value) for value in repeated.values())
    assert json.loads(bytes(repeated["metadata"])) == {"a": "b"}


def test_secrets_of_a_server_are_not_repeated():
    tool = {
        "type": "mcp",
        "server_label": "d",
        "server_url": "https://m",
        "authorization": "s1",
        "headers": {"x": "s2"},
    }
    assert echo(tools=[tool])["tools"] == [{"type": "mcp", "server_label": "d", "server_url": "https://m"}]


def test_what_the_request_leaves_out_has_openais_defaults():
    repeated = echo()
    assert (repeated["store"], repeated["tool_choice"], repeated["truncation"]) == (True, "auto", "disabled")
    assert repeated["text"] == {"format": {"type": "text"}, "verbosity": "medium"}


def test_an_update_among_the_items_sets_the_effort():
    update = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    body = sent({"reasoning": {"effort": "low"}, "input": [update, {"role": "user", "content": "x"}]})
    assert body["output_config"]["effort"] == "high"
