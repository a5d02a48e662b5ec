"""The form of the answer: JSON by schema, JSON by request, and how wordy it is.

Source: Anthropic's "Structured outputs" page. What upstream cannot enforce is asked for with one fixed sentence,
fixed so that the prompt cache survives, and said in a note.
"""

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.schema import Json, Unsupported, read_schema, strict_schema
from claude_proxy.wire import chat_request as openai
from claude_proxy.wire.anthropic import OutputConfig

JSON_SENTENCE = "Reply with a single valid JSON object and nothing else."
SCHEMA_SENTENCE = "Reply with a single JSON object that is valid against this JSON Schema, and nothing else:"
_VERBOSITY = {
    "low": "Answer as briefly as the question allows.",
    "medium": None,
    "high": "Answer at length and in detail.",
}


def translate_response_format(draft: Draft) -> None:
    format_ = draft.chat.response_format
    if format_ is None:
        return
    match format_.type:
        case "text":
            return
        case "json_object":
            draft.json_mode = True
            draft.add_system(JSON_SENTENCE)
            draft.note("emulated", "response_format", "JSON is asked for in a sentence, and unwrapped from any prose")
        case "json_schema":
            _json_schema(draft, format_.json_schema)
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: 'text', 'json_object', and 'json_schema'.",
                param="response_format.type",
                code="invalid_value",
            )


def _json_schema(draft: Draft, format_: openai.JSONSchemaFormat | None) -> None:
    place = "response_format.json_schema"
    try:
        schema = read_schema(format_.schema) if format_ else None
    except msgspec.MsgspecError:
        raise InvalidRequest(
            f"Invalid type for '{place}.schema': expected an object.", param=f"{place}.schema", code="invalid_type"
        ) from None
    if format_ is None or schema is None:
        raise InvalidRequest(
            f"Missing required parameter: '{place}.schema'.",
            param=f"{place}.schema",
            code="missing_required_parameter",
        )
    if format_.description and "description" not in schema:
        schema["description"] = format_.description
    try:
        strict: Json = strict_schema(schema)
    except Unsupported as exc:
        draft.json_mode = True
        draft.add_system(f"{SCHEMA_SENTENCE}\n{msgspec.json.encode(schema).decode()}")
        draft.warn(place, f"the schema cannot be enforced ({exc}); it was put into the prompt instead")
        return
    config = draft.body.output_config or OutputConfig()
    config.format = Raw(msgspec.json.encode({"type": "json_schema", "schema": strict}))
    draft.body.output_config = config


def translate_verbosity(draft: Draft) -> None:
    word = draft.chat.verbosity
    if word is None:
        return
    if word not in _VERBOSITY:
        raise InvalidRequest(
            f"Invalid value: '{word}'. Supported values are: 'low', 'medium', and 'high'.",
            param="verbosity",
            code="invalid_value",
        )
    if (sentence := _VERBOSITY[word]) is not None:
        draft.add_system(sentence)
        draft.note("emulated", "verbosity", "asked for with a sentence at the end of the system prompt")
