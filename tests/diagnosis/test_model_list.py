import os

import pytest

from claude_proxy.config import load
from claude_proxy.diagnosis.model_list import list_models
from claude_proxy.errors import ProxyError
from claude_proxy.paths import paths


def test_without_a_daemon_the_simulator_has_no_list() -> None:
    with pytest.raises(ProxyError, match="does not run"):
        list_models(load({"simulator": True}, {}), os.environ, paths())
