import ssl
from pathlib import Path

import pytest

from claude_proxy.errors import ConfigError
from claude_proxy.transport.tls import context_from_environment, tls_context


def test_the_context_is_the_default_one_but_for_key_logging() -> None:
    ours, default = tls_context(), ssl.create_default_context()
    for name in ("verify_mode", "verify_flags", "check_hostname", "minimum_version", "options"):
        assert getattr(ours, name) == getattr(default, name)


def test_the_context_never_logs_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert tls_context().keylog_filename is None
    assert not (tmp_path / "keys").exists()


def test_without_ssl_cert_file_there_is_no_context_of_its_own() -> None:
    assert context_from_environment({}) is None


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE .*authorities\.pem"):
        context_from_environment({"SSL_CERT_FILE": str(file)})
