from claude_proxy.credentials.simulated import SIMULATOR_KEY, SimulatorKey
from tests.credentials.contract import found


def test_the_simulators_key_is_made_up_and_says_so():
    assert found(SimulatorKey()).secret.reveal() == SIMULATOR_KEY
    assert "not a secret" in SimulatorKey().look().detail
