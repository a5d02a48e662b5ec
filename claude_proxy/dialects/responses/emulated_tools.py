"""Tools that OpenAI's models know by training, described for Claude: each is sent as a function."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct


class EmulatedTool(Struct, frozen=True):
    description: str
    schema: Raw  # JSON Schema of its input


def _object(required: list[str], **properties: dict[str, object]) -> Raw:
    return Raw(msgspec.json.encode({"type": "object", "properties": properties, "required": required}))


_TEXT: dict[str, object] = {"type": "string"}
_NUMBER: dict[str, object] = {"type": "integer"}


def _texts(description: str) -> dict[str, object]:
    return {"type": "array", "items": _TEXT, "description": description}


_PATCH_FORMAT = (
    "Create, update or delete one file. `diff` is a patch in the V4A format. For update_file it has sections that "
    "begin with `@@`, whose lines begin with a space (context), `-` (removed) or `+` (added). In create_file each line "
    "begins with `+`. For delete_file it is left out."
)

EMULATED_TOOLS: Mapping[str, EmulatedTool] = {
    "local_shell": EmulatedTool(
        "Run a command on the user's machine and return its output.",
        _object(
            ["command"],
            command=_texts("The program and its arguments."),
            workdir=_TEXT,
            timeout_ms=_NUMBER,
            env={"type": "object", "additionalProperties": _TEXT},
        ),
    ),
    "shell": EmulatedTool(
        "Run shell commands on the user's machine and return their output.",
        _object(
            ["commands"],
            commands=_texts("The commands; each is run by a shell of its own, at the same time."),
            timeout_ms=_NUMBER,
            max_output_length=_NUMBER,
        ),
    ),
    "apply_patch": EmulatedTool(
        _PATCH_FORMAT,
        _object(
            ["type", "path"],
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path=_TEXT,
            diff=_TEXT,
        ),
    ),
}
