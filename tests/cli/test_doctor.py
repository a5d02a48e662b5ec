import email.utils
import ssl
import time
import urllib.error

import pytest

from claude_proxy.cli import doctor


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [(0, "ok", "the clock is right"), (-600, "failed", "s ahead"), (600, "failed", "s behind")],
)
def test_a_clock_that_differs_from_upstream_s_is_told(ahead: float, state: str, words: str):
    check = doctor._clock("https://x", email.utils.formatdate(time.time() + ahead, usegmt=True))
    assert check.state == state
    assert words in check.detail


@pytest.mark.parametrize("date", [None, "", "soon"])
def test_an_upstream_without_a_date_answers_all_the_same(date: str | None):
    assert doctor._clock("https://x", date) == doctor.Check("upstream", "ok", "https://x answers")


def test_tls_that_is_opened_on_the_way_has_its_own_advice():
    broken = urllib.error.URLError(ssl.SSLCertVerificationError("self-signed certificate"))
    assert "SSL_CERT_FILE" in doctor._advice(broken)
    assert "self-signed" in doctor._reason(broken)
    assert "HTTPS_PROXY" in doctor._advice(ConnectionRefusedError())
