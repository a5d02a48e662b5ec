from claude_proxy.diagnosis.check import Check, run
from claude_proxy.errors import ServiceError


def test_an_error_is_a_failed_check_with_its_hint() -> None:
    def look() -> Check:
        raise ServiceError("no lock; and more", hint="do this")

    assert run("files", look) == Check("files", "failed", "no lock", "do this")
