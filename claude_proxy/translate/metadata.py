"""What a request says beside its prompt: its end user, its service tier, and fields of Anthropic's own."""

import hashlib

from msgspec import Raw

from claude_proxy.translate.draft import Draft
from claude_proxy.wire.anthropic import Metadata
from claude_proxy.wire.decoding import repaired

# Fields that upstream takes only together with the name of their beta.
_BETAS = {"context_management": "context-management-2025-06-27", "mcp_servers": "mcp-client-2025-11-20"}
_COMPACTION = (b"compact_20260112", "compact-2026-01-12")


def set_user(draft: Draft, identifier: str | None) -> None:
    """Name the end user by a hash: upstream wants an opaque id and refuses what looks like an e-mail address."""
    if identifier:
        digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
        draft.body.metadata = Metadata(digest)


def set_service_tier(draft: Draft, tier: str | None, *, param: str = "service_tier") -> None:
    """Set OpenAI's service tier as Anthropic's tier or speed; a tier without a counterpart is a warning."""
    match tier:
        case None | "auto":
            return
        case "default":
            draft.body.service_tier = "standard_only"
        case "priority":
            draft.body.service_tier = "auto"
        case "fast" if draft.model.fast and draft.options.fast_mode:
            draft.body.speed = "fast"
        case "fast" if draft.model.fast:
            draft.warn(param, "fast costs more, and the setting `fast_mode` does not allow it")
        case _:
            draft.warn(param, f"'{tier}' does not exist for {draft.model.id}")


def pass_through(draft: Draft, name: str, value: Raw) -> None:
    """Send a top-level field of the Messages API as the client wrote it, with the beta that it needs."""
    draft.extra_fields[name] = Raw(repaired(bytes(value)))
    if name in _BETAS:
        draft.add_beta(_BETAS[name])
    if _COMPACTION[0] in bytes(value):
        draft.add_beta(_COMPACTION[1])
    draft.note("mapped", name, "a field of Anthropic's own, sent unchanged")
