"""The key that every request must have if `api_key_file` is set."""

import logging
import os
import secrets
import stat
from pathlib import Path

from claude_proxy.errors import ConfigError
from claude_proxy.files import make_directory

log = logging.getLogger(__name__)

MIN_LENGTH = 16  # characters; a key created here has 43, with 256 bits
_OTHERS = 0o077


def read_key(file: str) -> bytes | None:
    """The key in `file`, which is created with a new key if it does not exist; None when no file is configured.

    Raises ConfigError when the file cannot be read, when others can read it, or when the key is too short.
    """
    if not file:
        return None
    path = Path(file).expanduser()
    try:
        try:
            key = _read(path)
        except FileNotFoundError:
            key = _create(path)
    except OSError as exc:
        raise ConfigError(f"api_key_file {path} cannot be used: {exc.strerror}") from exc
    if len(key) < MIN_LENGTH:
        hint = "remove the file, and a new key will be created"
        raise ConfigError(f"the key in {path} is shorter than {MIN_LENGTH} characters", hint=hint)
    return key


def _read(path: Path) -> bytes:
    # O_NONBLOCK: in a directory that others can write to, the file might be a FIFO, and opening it would wait.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        about = os.fstat(opened.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ConfigError(f"api_key_file {path} cannot be used: it is not a regular file")
        if about.st_mode & _OTHERS or about.st_uid not in (os.getuid(), 0):
            raise ConfigError(f"others can read or change {path}", hint=f"chmod 600 {path}")
        return opened.read(4096).strip()


def _create(path: Path) -> bytes:
    make_directory(path.parent)
    key = secrets.token_urlsafe(32).encode()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as made:
        made.write(key + b"\n")
    log.info("wrote a new key to %s: clients send it as their API key", path)
    return key
