"""How a credential goes upstream, and whether it may."""

from urllib.parse import urlsplit

from claude_proxy.config import ANTHROPIC_BASE_URL, Config
from claude_proxy.credentials.base import Credential
from claude_proxy.errors import CredentialUnusable

OAUTH_BETA = "oauth-2025-04-20"


def auth_headers(credential: Credential) -> dict[str, str]:
    """The headers that carry `credential`: a key or a Bearer token, never both.

    `anthropic-beta` is a comma list that others may add to; whoever sends the request merges it.
    """
    secret = credential.secret.reveal()
    headers: dict[str, str]
    match credential.kind:
        case "api_key":
            headers = {"x-api-key": secret}
        case "auth_token":
            headers = {"authorization": f"Bearer {secret}"}
        case "oauth":
            headers = {"authorization": f"Bearer {secret}", "anthropic-beta": OAUTH_BETA}
    if credential.workspace:
        headers["anthropic-workspace-id"] = credential.workspace
    return headers


def may_go_to(credential: Credential, config: Config) -> None:
    """Let `credential` go to `config.base_url`, or raise CredentialUnusable saying why not.

    What lies in the environment follows the environment's base URL, as in Anthropic's SDKs. Everything else is
    for Anthropic's own host over TLS or for this machine; another host must be named by the user's configuration
    file or by a flag, since a variable may come from the directory that someone happens to stand in.
    """
    if credential.follows_base_url or config.upstream_is_loopback:
        return
    if config.upstream_is_anthropic and urlsplit(config.base_url).scheme == "https":
        return
    if config.origin("base_url") in ("flag", "file"):
        return
    host = urlsplit(config.base_url).hostname
    raise CredentialUnusable(
        f"the credential from {credential.source} was not sent: the base URL names {host}, which is neither"
        f" {urlsplit(ANTHROPIC_BASE_URL).hostname} nor this machine, and it comes from the environment",
        hint="if you mean it, put base_url into the configuration file or pass --base-url,"
        " otherwise unset ANTHROPIC_BASE_URL",
    )
