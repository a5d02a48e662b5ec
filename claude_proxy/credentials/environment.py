"""Credentials in environment variables, as Anthropic's SDKs and the Claude CLI read them."""

from collections.abc import Mapping

from claude_proxy.credentials.base import Credential, Finding, Kind, Secret, Source, flaw, looks_like_oauth


class EnvironmentVariable(Source):
    """One variable. It is read once: a process's environment does not change from outside."""

    def __init__(self, variable: str, kind: Kind, environ: Mapping[str, str]) -> None:
        self.name = variable
        self.description = f"the environment variable {variable}"
        self._kind = kind
        self._text = environ.get(variable, "").strip()

    def look(self) -> Finding:
        if not self._text:
            return self.not_here("not set")
        if problem := flaw(self._text):
            return self.unusable(problem, f"correct or unset {self.name}", stops=True)
        hint = None
        if self._kind == "api_key" and looks_like_oauth(self._text):
            hint = (
                "this looks like an OAuth token, which upstream refuses as a key; put it into CLAUDE_CODE_OAUTH_TOKEN"
            )
        credential = Credential(self._kind, Secret(self._text), self.name, follows_base_url=True)
        return Finding(self.name, "found", "set", hint, credential)
