"""The simulator's credential: made up, no secret, and the only one that is ever sent to it."""

from claude_proxy.credentials.base import Credential, Finding, Secret, Source

SIMULATOR_KEY = "simulator-key-that-opens-nothing"


class SimulatorKey(Source):
    name = "simulator"
    description = "a made-up key for the built-in simulator; your own credentials are not looked at"

    def look(self) -> Finding:
        credential = Credential("api_key", Secret(SIMULATOR_KEY), self.name)
        return Finding(self.name, "found", "made up, not a secret", credential=credential)
