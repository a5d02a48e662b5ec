"""Rules for tools and tool_choice."""

from typing import Any

from claude_proxy.simulator import json_schema_rules
from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.valid_request import Request, blocks, iter_blocks

_MAX_STRICT = 20
_MAX_OPTIONAL = 24
_MAX_UNIONS = 16
_INVALID = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). "
    "Learn more about tool use at https://docs.claude.com/en/docs/tool-use."
)


def check(request: Request) -> None:
    for number, tool in enumerate(request.tools):
        if tool.get("type") in {None, "custom"}:
            _input_schema(tool["input_schema"], f"tools.{number}.custom.input_schema")
        if tool.get("allowed_domains") and tool.get("blocked_domains"):
            raise invalid(f"tools.{number}: Only one of allowed_domains and blocked_domains may be specified")
    names = [tool["name"] for tool in request.tools if "name" in tool]
    if len(names) != len(set(names)):
        raise invalid("tools: Tool names must be unique.")
    _deferred(request, names)
    _strict(request)
    _require_definitions(request)
    _check_choice(request, names)


def _input_schema(value: dict[str, Any], param: str) -> None:
    for name in ("oneOf", "allOf", "anyOf"):
        if name in value:
            raise invalid(f"{param}: input_schema does not support oneOf, allOf, or anyOf at the top level")
    if "type" not in value:
        raise invalid(f"{param}.type: Field required")
    if value["type"] != "object":
        raise invalid(f"{param}.type: Input should be 'object'")
    if not _is_schema(value):
        raise invalid(f"{param}: {_INVALID}")


def _is_schema(value: Any) -> bool:
    """Whether the most used keywords have values of the types that JSON Schema requires."""
    if isinstance(value, bool):
        return True
    if not isinstance(value, dict):
        return False
    kinds = value.get("type", "object")
    if not all(kind in json_schema_rules.TYPES for kind in (kinds if isinstance(kinds, list) and kinds else [kinds])):
        return False
    required = value.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return False
    members = [value.get(name, {}) for name in ("properties", "$defs", "definitions")]
    branches = [value.get(name, []) for name in ("anyOf", "oneOf", "allOf")]
    if not all(isinstance(one, dict) for one in members) or not all(isinstance(one, list) for one in branches):
        return False
    inner = [part for one in members for part in one.values()] + [part for one in branches for part in one]
    return all(map(_is_schema, [*inner, value.get("items", True)]))


def _deferred(request: Request, names: list[str]) -> None:
    """Tool search: one tool must be loaded at once, and a reference in a result names a tool of the request."""
    if request.tools and all(tool.get("defer_loading") for tool in request.tools):
        raise invalid("All tools have defer_loading set. At least one tool must be non-deferred.")
    for _, _, block in iter_blocks(request.messages):
        for inner in blocks(block) if block["type"] == "tool_result" else ():
            if inner["type"] == "tool_reference" and inner["tool_name"] not in names:
                raise invalid(f"Tool reference '{inner['tool_name']}' has no corresponding tool definition")


def _strict(request: Request) -> None:
    strict = {
        number: tool["input_schema"]
        for number, tool in enumerate(request.tools)
        if tool.get("strict") and "input_schema" in tool
    }
    for number, value in strict.items():
        json_schema_rules.check(value, f"tools.{number}.custom")
    if len(strict) > _MAX_STRICT:
        raise invalid(
            f"Too many strict tools ({len(strict)}). The maximum number of strict tools supported is {_MAX_STRICT}. "
            "Try reducing the number of tools marked as strict."
        )
    optional = sum(map(json_schema_rules.optional_parameters, strict.values()))
    if optional > _MAX_OPTIONAL:
        raise invalid(
            f"Schemas contains too many optional parameters ({optional}), which would make grammar compilation "
            f"inefficient. Reduce the number of optional parameters in your tool schemas (limit: {_MAX_OPTIONAL})."
        )
    unions = sum(map(json_schema_rules.union_parameters, strict.values()))
    if unions > _MAX_UNIONS:
        raise invalid(
            f"Schemas contains too many parameters with union types ({unions} parameters with type arrays or anyOf). "
            "This causes exponential compilation cost. Reduce the number of nullable or union-typed parameters "
            f"(limit: {_MAX_UNIONS} parameters with unions)."
        )


def _require_definitions(request: Request) -> None:
    used = any(block["type"] in {"tool_use", "tool_result"} for _, _, block in iter_blocks(request.messages))
    if used and not request.tools:
        raise invalid("tools: Requests which use `tool_use` or `tool_result` blocks must define tools")


def _check_choice(request: Request, names: list[str]) -> None:
    if "tool_choice" not in request.body:
        return
    if not request.tools:
        raise invalid("tool_choice: tool_choice may only be specified while providing tools.")
    if not request.forces_tool:
        return
    if not request.model.forced_choice:
        raise invalid(f"{request.model.id} does not support forced tool_choice; use auto or none")
    thinking = (request.body.get("thinking") or {}).get("type")
    if thinking == "enabled" or (thinking == "adaptive" and not request.adaptive_with_forced_tool):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    name = request.choice.get("name")
    if name is not None and name not in names:
        raise invalid(f"Tool '{name}' not found in provided tools")
