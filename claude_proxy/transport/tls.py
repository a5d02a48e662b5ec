"""TLS contexts for upstream and for proxies: verification always on, no key logging."""

import ssl
import sys
from collections.abc import Mapping

from claude_proxy.errors import ConfigError


def tls_context(cafile: str | None = None) -> ssl.SSLContext:
    """A context that verifies certificates and host names; `cafile` replaces the system's certificate authorities.

    Not `ssl.create_default_context`: it writes the session keys to the file SSLKEYLOGFILE, and a program that
    reads it can decrypt the credential. Apart from that the context is the same. Raises OSError for `cafile`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies the certificate and the host name
    if sys.version_info >= (3, 13):  # the default context's own flags
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if cafile is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cafile)
    context.set_alpn_protocols(["http/1.1"])
    return context


def context_from_environment(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    """A context that trusts the authorities in the file SSL_CERT_FILE and no others; None if that is not set.

    Raises ConfigError if the file cannot be used.
    """
    file = environ.get("SSL_CERT_FILE")
    if not file:
        return None
    try:
        return tls_context(file)
    except OSError as exc:
        raise ConfigError(f"SSL_CERT_FILE {file!r} cannot be used: {exc.strerror or 'no certificate in it'}") from exc
