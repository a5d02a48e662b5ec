"""How long an answer of the macOS keychain is believed: unlike a file it cannot be watched by `stat`."""

import sys
import time
from collections.abc import Callable

KEYCHAIN_TTL = 30.0  # a login made meanwhile is seen this much later; a look costs one program run


class KeychainAge:
    """The age of the last look, where there is a keychain; elsewhere nothing ages."""

    def __init__(self, platform: str = sys.platform, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ages = platform == "darwin"
        self._looked_at = clock()

    def looked(self) -> None:
        self._looked_at = self._clock()

    def aged(self) -> bool:
        return self._ages and self._clock() - self._looked_at >= KEYCHAIN_TTL
