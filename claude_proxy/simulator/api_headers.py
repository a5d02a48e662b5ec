"""Request headers (credential, API version, betas) and reply headers (request id, rate limits)."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from claude_proxy.simulator.api_error import ApiError, invalid
from claude_proxy.wire.anthropic import OAUTH_BETA, VERSION

NEWER_VERSION = "2026-10-21"  # refuses sampling parameters, and two more things, on every model
VERSIONS = frozenset({VERSION, NEWER_VERSION})
ORGANIZATION = "00000000-0000-4000-8000-000000000000"

# The betas named by the SDK's types, and those named only by the documentation or by Claude's CLI.
_BETA_NAMES = """
admin-user-sign-out-2026-10-08 advanced-tool-use-2025-11-20 advisor-tool-2026-03-01 agent-memory-2026-07-22
analytics-usage-cost-2026-08-24 cache-diagnosis-2026-04-07 ce-claude-code-managed-settings-2026-10-06
ce-plugins-2026-09-01 ce-user-management-2026-07-13 claude-code-20250219 code-execution-2025-05-22
code-execution-2025-08-25 compact-2026-01-12 compact-2026-09-04 computer-use-2024-10-22 computer-use-2025-01-24
computer-use-2025-11-24 context-1m-2025-08-07 context-management-2025-06-27 dev-full-thinking-2025-05-14
dreaming-2026-04-21 effort-2025-11-24 experimental-claude-tag-2026-10-21 extended-cache-ttl-2025-04-11
fallback-credit-2026-06-01 fallback-credit-2026-07-01 fast-mode-2026-02-01 files-api-2025-04-14
fine-grained-tool-streaming-2025-05-14 inline-tools-2026-09-15 interleaved-thinking-2025-05-14
managed-agents-2026-04-01 mcp-client-2025-04-04 mcp-client-2025-11-20 mcp-client-2026-09-15 mcp-tunnels-2026-06-22
message-batches-2024-09-24 message-threads-2026-08-12 mid-conversation-output-config-2026-07-01
mid-conversation-system-clear-at-2026-08-21 mid-conversation-tool-changes-2026-07-01
model-context-window-exceeded-2025-08-26 oauth-2025-04-20 output-128k-2025-02-19 output-300k-2026-03-24
pdfs-2024-09-25 prompt-caching-2024-07-31 server-side-fallback-2026-06-01 server-side-fallback-2026-07-01
skills-2025-10-02 spend-limit-reads-2026-09-26 structured-outputs-2025-11-13 task-budgets-2026-03-13
telemetry-destinations-2026-08-11 thinking-binding-controls-2026-08-01 thinking-display-updates-2026-08-18
thinking-token-count-2026-05-13 token-counting-2024-11-01 token-efficient-tools-2025-02-19
user-profiles-2026-03-24 user-profiles-2026-08-18 user-profiles-2026-09-04 user-profiles-billing-2026-10-01
web-fetch-2025-09-10 webhooks-2026-10-07 prompt-caching-scope-2026-01-05 mid-conversation-system-2026-04-07
"""
BETAS = frozenset(_BETA_NAMES.split())

_LIMITS = {"requests": 4000, "tokens": 2_400_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
_WINDOWS = {"5h": 5 * 3600, "7d": 7 * 24 * 3600}


def is_oauth(headers: Mapping[str, str]) -> bool:
    """Whether the credential is an OAuth token of a login rather than an API key."""
    return _bearer(headers).startswith("sk-ant-oat") and "x-api-key" not in headers


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticate(headers: Mapping[str, str], accepted: str | None) -> None:
    """Raises the 401 of the real API. If both headers are present, x-api-key takes precedence."""
    if "x-api-key" in headers:
        key = headers["x-api-key"].strip()
        if not key:
            raise ApiError(401, "x-api-key header is required")
        if key.startswith("sk-ant-oat") or not _matches(key, accepted):
            raise ApiError(401, "invalid x-api-key")
        return
    token = _bearer(headers)
    if not token:
        raise ApiError(401, "x-api-key header is required")
    if is_oauth(headers) and OAUTH_BETA not in requested_betas(headers):
        raise ApiError(401, "OAuth authentication is currently not supported.")
    if not _matches(token, accepted):
        raise ApiError(401, "Invalid bearer token")


def _matches(given: str, accepted: str | None) -> bool:
    return accepted is None or hmac.compare_digest(given.encode("utf-8", "surrogateescape"), accepted.encode())


def api_version(headers: Mapping[str, str]) -> str:
    """The requested API version. Raises a 400 if the header is missing or the version is unknown."""
    requested = headers.get("anthropic-version", "").strip()
    if not requested:
        raise invalid("anthropic-version: header is required")
    if requested not in VERSIONS:
        raise invalid(f'anthropic-version: "{requested}" is not a valid version')
    return requested


def requested_betas(headers: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name.strip() for name in headers.get("anthropic-beta", "").split(",") if name.strip())


def check_betas(headers: Mapping[str, str]) -> frozenset[str]:
    """The requested beta features. Raises a 400 that names the unknown ones."""
    requested = requested_betas(headers)
    if unknown := sorted(requested - BETAS):
        names = ", ".join(f"`{name}`" for name in unknown)
        raise invalid(f"Unexpected value(s) {names} for the `anthropic-beta` header")
    return requested


def require_json(headers: Mapping[str, str]) -> None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise invalid("content-type: Input should be 'application/json'")


def answer_headers(request_id: str) -> dict[str, str]:
    """Headers of every reply, errors included."""
    return {"request-id": request_id, "anthropic-organization-id": ORGANIZATION, "x-simulated": "true"}


def limit_headers(headers: Mapping[str, str], served: int, now: float) -> dict[str, str]:
    """Rate limit headers after `served` requests: those of an API key, or those of a plan for an OAuth token."""
    if is_oauth(headers):
        return _plan_limits(served, now)
    reset = datetime.fromtimestamp(int(now) + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found: dict[str, str] = {}
    for name, limit in _LIMITS.items():
        found[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        found[f"anthropic-ratelimit-{name}-remaining"] = str(limit - served % limit)
        found[f"anthropic-ratelimit-{name}-reset"] = reset
    return found


def _plan_limits(served: int, now: float) -> dict[str, str]:
    prefix = "anthropic-ratelimit-unified"
    found = {f"{prefix}-status": "allowed", f"{prefix}-representative-claim": "five_hour"}
    for name, seconds in _WINDOWS.items():
        found[f"{prefix}-{name}-status"] = "allowed"
        found[f"{prefix}-{name}-reset"] = str((int(now) // seconds + 1) * seconds)
        found[f"{prefix}-{name}-utilization"] = f"{served % 1000 / 1000:.3f}"
    found[f"{prefix}-reset"] = found[f"{prefix}-5h-reset"]
    return found
