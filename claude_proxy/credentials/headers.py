"""The headers that carry a credential upstream, and to which hosts it may be sent."""

from urllib.parse import urlsplit

from claude_proxy.config import ANTHROPIC_BASE_URL, Config
from claude_proxy.credentials.base import Credential
from claude_proxy.errors import CredentialUnusable
from claude_proxy.wire.anthropic import OAUTH_BETA


def auth_headers(credential: Credential) -> dict[str, str]:
    """The headers that carry `credential`: a key or a Bearer token, never both.

    `anthropic-beta` is a comma list: the caller merges it with the request's own.
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
    """Check that `credential` may be sent to `config.base_url`; raises CredentialUnusable with the reason if not.

    A credential from the environment may go to the base URL of the environment, as in Anthropic's SDKs. Any other
    goes to Anthropic's own host over TLS or to this machine; another host must be named by the user's configuration
    file or by a flag, since a variable may be set by a file of the current directory (direnv, for one).
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
        hint="if this host is intended, put base_url into the configuration file or pass --base-url,"
        " otherwise unset ANTHROPIC_BASE_URL",
    )
