"""The environment and the flags of a Claude CLI process.

The environment is built from a list of names, so that nothing of the daemon's own reaches the process by accident: a
key that would outrank the login, a base URL that leads back to the daemon, a variable that loads code.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

# What a program needs of its user and machine: home, locale, proxies, certificate authorities.
_NAMES = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "PATH", "SHELL", "TZ", "TMPDIR", "LANG", "LANGUAGE", "XDG_RUNTIME_DIR"),
        *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "CLAUDE_CODE_CERT_STORE"),
        *("CLAUDE_CODE_CLIENT_CERT", "CLAUDE_CODE_CLIENT_KEY"),
        *("CLAUDE_CONFIG_DIR", "CLAUDE_SECURESTORAGE_CONFIG_DIR"),
    }
)

# One request upstream for one request, nothing of this machine in the prompt, nothing left on the disk.
_FIXED = {
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",  # else `@file` in a text makes it send that file
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # else a second request makes a title of the user's text
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_TOTAL_TOKENS_REMINDER": "0",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_AUTO_COMPACT": "1",
    "DISABLE_COMPACT": "1",
    "ENABLE_CLAUDEAI_MCP_SERVERS": "false",
    "ENABLE_TOOL_SEARCH": "false",
}

_FLAGS = (
    *("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--include-partial-messages"),
    *("--verbose", "--tools", "", "--strict-mcp-config", "--setting-sources", "", "--no-session-persistence"),
    *("--disable-slash-commands", "--max-turns", "1", "--thinking", "disabled"),
)


class Cloud(NamedTuple):
    """A cloud that the Claude CLI can use: `switch` turns it on, `names` and `prefixes` are its further variables."""

    title: str
    switch: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


# By the Claude CLI's documentation of its variables.
CLOUDS = (
    Cloud(
        "Amazon Bedrock",
        "CLAUDE_CODE_USE_BEDROCK",
        ("ANTHROPIC_BEDROCK_BASE_URL", "CLAUDE_CODE_SKIP_BEDROCK_AUTH", "ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION"),
        ("AWS_",),
    ),
    Cloud(
        "Google Vertex AI",
        "CLAUDE_CODE_USE_VERTEX",
        (
            *("ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_BASE_URL", "CLAUDE_CODE_SKIP_VERTEX_AUTH"),
            *("CLOUD_ML_REGION", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"),
            "CLOUDSDK_CONFIG",
        ),
        ("VERTEX_REGION_",),
    ),
    Cloud(
        "Microsoft Foundry",
        "CLAUDE_CODE_USE_FOUNDRY",
        (
            *("ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_FOUNDRY_API_KEY"),
            "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
        ),
        ("AZURE_",),
    ),
)
# Which model of a cloud a family's name stands for.
_CLOUD_MODELS = (
    *("ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"),
    "ANTHROPIC_CUSTOM_HEADERS",
)
_MAX_SETTINGS = 1024 * 1024


def settings_variables(settings_file: Path) -> dict[str, str]:
    """The variables in the `env` block of the user's settings of the Claude CLI; none where it cannot be read."""
    try:
        with settings_file.open("rb") as stream:
            document = json.loads(stream.read(_MAX_SETTINGS))
    except (OSError, ValueError, RecursionError):
        return {}
    block = document.get("env") if isinstance(document, dict) else None
    if not isinstance(block, dict):
        return {}
    return {name: text for name, text in block.items() if isinstance(text, str)}


def cloud_in(variables: Mapping[str, str]) -> Cloud | None:
    """The cloud that `variables` switch on; None if they switch on none."""
    return next((cloud for cloud in CLOUDS if _is_on(variables.get(cloud.switch))), None)


def cloud_variables(cloud: Cloud, variables: Mapping[str, str]) -> dict[str, str]:
    """Those of `variables` that belong to `cloud`."""
    names = {cloud.switch, *cloud.names, *_CLOUD_MODELS}
    return {
        name: text
        for name, text in variables.items()
        if name in names or (cloud.prefixes and name.startswith(cloud.prefixes))
    }


def process_environment(
    environ: Mapping[str, str], home: Path, *, base_url: str | None = None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a process.

    `base_url` is set only where the settings of this program name another address than Anthropic's. `extra` are
    variables that choose the account: those of a cloud, or a token that the environment holds.
    """
    kept = {name: text for name, text in environ.items() if name in _NAMES or name.startswith("LC_")}
    address = {"ANTHROPIC_BASE_URL": base_url} if base_url else {}
    return {"HOME": str(home), **kept, **_FIXED, **address, **(extra or {})}


def process_flags(model: str | None) -> list[str]:
    """The flags of a process; `model` for versions that take the model only at their start."""
    return [*_FLAGS, *(["--model", model] if model else [])]


def _is_on(value: str | None) -> bool:
    return value is not None and value.strip().lower() in ("1", "true", "yes", "on")
