"""The form of the reply: JSON by schema, any JSON object, and how long the text is.

Source: Anthropic's "Structured outputs" page. What upstream cannot enforce is asked for with one fixed sentence,
fixed so that the prompt cache stays valid, and recorded in a note.
"""

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.schema import read_schema, strict_schema
from claude_proxy.translate.schema_merge import Json, JsonObject, Unsupported
from claude_proxy.wire.anthropic import OutputConfig

JSON_SENTENCE = "Reply with a single valid JSON object and nothing else."
SCHEMA_SENTENCE = "Reply with a single JSON value that is valid against this JSON Schema, and nothing else:"
_VERBOSITY = {
    "low": "Answer as briefly as the question allows.",
    "medium": None,
    "high": "Answer at length and in detail.",
}


def set_json_object(draft: Draft, *, param: str) -> None:
    """Ask for a JSON object of any form, which upstream cannot enforce."""
    draft.json_mode = True
    draft.add_system(JSON_SENTENCE)
    draft.note(
        "emulated", param, "a sentence in the prompt asks for JSON; text around the JSON is removed from the reply"
    )


def set_json_schema(draft: Draft, schema: Raw, *, description: str | None = None, param: str) -> None:
    """Ask for JSON that is valid against `schema`, which stands at `{param}.schema` in the client's request.

    Raises InvalidRequest if there is no schema. One that upstream cannot enforce goes into the prompt.
    """
    read = _read_schema(schema, f"{param}.schema")
    if description and "description" not in read:
        read["description"] = description
    try:
        strict: Json = strict_schema(read)
    except Unsupported as exc:
        draft.json_mode = True
        draft.add_system(f"{SCHEMA_SENTENCE}\n{msgspec.json.encode(read).decode()}")
        draft.warn(param, f"the schema cannot be enforced ({exc}); it was put into the prompt instead")
        return
    config = draft.body.output_config or OutputConfig()
    config.format = Raw(msgspec.json.encode({"type": "json_schema", "schema": strict}))
    draft.body.output_config = config


def _read_schema(schema: Raw, param: str) -> JsonObject:
    try:
        read = read_schema(schema)
    except msgspec.MsgspecError:
        raise InvalidRequest(
            f"Invalid type for '{param}': expected an object.", param=param, code="invalid_type"
        ) from None
    if read is None:
        raise InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    return read


def set_verbosity(draft: Draft, word: str | None, *, param: str = "verbosity") -> None:
    if word is None:
        return
    if word not in _VERBOSITY:
        raise InvalidRequest(
            f"Invalid value: '{word}'. Supported values are: 'low', 'medium', and 'high'.",
            param=param,
            code="invalid_value",
        )
    if (sentence := _VERBOSITY[word]) is not None:
        draft.add_system(sentence)
        draft.note("emulated", param, "asked for with a sentence at the end of the system prompt")
