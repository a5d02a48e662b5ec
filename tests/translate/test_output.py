from typing import Any

import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.output import JSON_SENTENCE, SCHEMA_SENTENCE
from tests.dialects.chat.case import sent, translated

PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def schema_of(schema: Any, **more: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, **more}}}


@pytest.mark.parametrize("strict", [True, False, None])
def test_a_schema_is_upstreams_own_format(strict: Any):
    body = sent(schema_of(PERSON, strict=strict))
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {**PERSON, "additionalProperties": False},
    }
    assert "system" not in body


def test_a_formats_description_is_the_schemas_unless_it_has_one():
    assert sent(schema_of(PERSON, description="d"))["output_config"]["format"]["schema"]["description"] == "d"
    own = {**PERSON, "description": "own"}
    assert sent(schema_of(own, description="d"))["output_config"]["format"]["schema"]["description"] == "own"


def test_effort_and_format_share_their_place():
    config = sent({**schema_of(PERSON), "reasoning_effort": "low", "model": "claude-opus-5"})["output_config"]
    assert config.keys() == {"effort", "format"}


def test_a_schema_that_cannot_be_enforced_is_asked_for():
    translation = translated(schema_of({"type": "object"}))
    assert translation.warnings == ("response_format.json_schema",)
    assert translation.reply.json_mode
    assert sent(schema_of({"type": "object"}))["system"][0]["text"] == f'{SCHEMA_SENTENCE}\n{{"type":"object"}}'


def test_json_is_asked_for_with_one_sentence_behind_all_others():
    fields = {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "x"}], "verbosity": "high"}
    body = sent({**fields, "response_format": {"type": "json_object"}})
    assert [block["text"] for block in body["system"]] == ["S", JSON_SENTENCE, "Answer at length and in detail."]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        (schema_of(None), "response_format.json_schema.schema"),
        (schema_of([1]), "response_format.json_schema.schema"),
        ({"verbosity": "chatty"}, "verbosity"),
    ],
)
def test_an_invalid_format_is_refused_with_its_path(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        translated(fields)
    assert refusal.value.param == param
