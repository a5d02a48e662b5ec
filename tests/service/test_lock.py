import os
from pathlib import Path

import pytest

from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import daemon
from claude_proxy.service.lock import Lock, is_locked, try_lock


def test_a_check_of_the_lock_keeps_no_daemon_from_starting(places: Paths):
    places.state.mkdir(mode=0o700)
    places.lock_file.touch()
    looker = os.open(places.lock_file, os.O_RDWR)
    assert try_lock(looker, shared=True)
    lock = Lock(places.lock_file)
    assert not lock.acquire(0)
    os.close(looker)
    assert lock.acquire(0)
    lock.release()
    lock.release()


def test_a_link_in_place_of_the_lock_is_refused(places: Paths, tmp_path: Path):
    places.state.mkdir(mode=0o700)
    places.lock_file.symlink_to(tmp_path / "elsewhere")
    assert not is_locked(places.lock_file)
    with pytest.raises(ServiceError, match="cannot write"), daemon.claim(places, manager="background", drain=1):
        pass
    assert not (tmp_path / "elsewhere").exists()
