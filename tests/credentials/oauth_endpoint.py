"""Anthropic's OAuth endpoint made small: on loopback, behind a TLS proxy with a throw-away authority of its own.

The Claude CLI accepts no other host for its logins, so it is sent here by HTTPS_PROXY and NODE_EXTRA_CA_CERTS.
Refresh tokens are single-use, as the real ones: a second use of one is counted, and ends the whole login.
"""

import contextlib
import datetime
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("platform.claude.com", "api.anthropic.com", "claude.ai", "mcp-proxy.anthropic.com")


class OAuthEndpoint:
    """The endpoint's state: which tokens are good, what was asked, and how the next refresh is answered."""

    def __init__(self, authority: Path) -> None:
        self.authority = authority
        self.port = 0
        self.lifetime = 28800
        self.status = 200
        self.delay = 0.0
        self.hold: threading.Event | None = None
        self.refreshing = threading.Event()
        self.refreshes = 0
        self.double_uses = 0
        self.asked: list[str] = []
        self._good: set[str] = set()
        self._spent: set[str] = set()
        self._lock = threading.Lock()

    def issue(self) -> dict[str, str]:
        """A fresh pair of tokens, as a login hands them out."""
        with self._lock:
            return self._issue()

    def environment(self) -> dict[str, str]:
        """What sends a program here instead of to Anthropic."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "https_proxy": f"http://127.0.0.1:{self.port}",
            "NODE_EXTRA_CA_CERTS": str(self.authority),
            "DISABLE_AUTOUPDATER": "1",
        }

    def _issue(self) -> dict[str, str]:
        number = len(self._good) + len(self._spent) + 1
        refresh = f"sk-ant-ort01-made-up-refresh-token-{number:06}"
        self._good.add(refresh)
        return {"access_token": f"sk-ant-oat01-made-up-access-token-{number:06}", "refresh_token": refresh}

    def refresh(self, token: str) -> tuple[int, dict[str, object]]:
        self.refreshing.set()
        if self.hold:
            self.hold.wait(90)
        time.sleep(self.delay)
        with self._lock:
            self.refreshes += 1
            if self.status != 200:
                return self.status, {"error": "server_error"}
            if token in self._spent:
                self.double_uses += 1
                self._good.clear()
            if token not in self._good:
                return 400, {"error": "invalid_grant", "error_description": "Refresh token not found or invalid"}
            self._good.remove(token)
            self._spent.add(token)
            scope = "user:inference user:profile"
            return 200, {**self._issue(), "token_type": "Bearer", "expires_in": self.lifetime, "scope": scope}


@contextlib.contextmanager
def oauth_endpoint(directory: Path) -> Iterator[OAuthEndpoint]:
    """An endpoint that answers until the context ends. `directory` gets the authority's certificate."""
    authority, context = _certificates(directory)
    endpoint = OAuthEndpoint(authority)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            endpoint.asked.append(f"POST {self.path}")
            if self.path == "/v1/oauth/token":
                self.answer(*endpoint.refresh(json.loads(body).get("refresh_token", "")))
            else:
                self.answer(404, {})

        def do_GET(self) -> None:
            endpoint.asked.append(f"GET {self.path}")
            self.answer(404, {})

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def answer(self, status: int, document: dict[str, object]) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    class Proxy(socketserver.BaseRequestHandler):
        request: socket.socket

        def handle(self) -> None:
            with contextlib.suppress(OSError, ssl.SSLError):
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    more = self.request.recv(1)
                    if not more:
                        return
                    head += more
                host = head.split(b" ")[1].decode().rpartition(":")[0]
                if host not in HOSTS:  # nothing of a test leaves this machine
                    self.request.sendall(b"HTTP/1.1 502 Not here\r\n\r\n")
                    return
                self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                with context.wrap_socket(self.request, server_side=True) as secured:
                    Handler(secured, self.client_address, server)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Proxy) as server:
        endpoint.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            if endpoint.hold:
                endpoint.hold.set()
            server.shutdown()
            thread.join(5)


def _certificates(directory: Path) -> tuple[Path, ssl.SSLContext]:
    now = datetime.datetime.now(datetime.UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def unsigned(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("throw-away test authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    authority = (
        unsigned("throw-away test authority", authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
    certificate = (
        unsigned(HOSTS[0], key.public_key()).add_extension(names, critical=False).sign(authority_key, hashes.SHA256())
    )
    authority_file, chain_file = directory / "authority.pem", directory / "server.pem"
    authority_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    chain_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file)
    return authority_file, context
