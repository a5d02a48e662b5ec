import subprocess
import sys

import pytest


def test_garbage_is_collected_seldom_and_what_is_loaded_is_not_looked_at_again() -> None:
    program = (
        "import gc; from claude_proxy.server import process; process.relax_collector(); print(gc.get_freeze_count())"
    )
    program += "; print(*gc.get_threshold(), gc.isenabled())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    frozen, thresholds = done.stdout.splitlines()
    assert int(frozen) > 10_000
    assert thresholds == "20000 20 20 True"


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_what_a_large_request_frees_is_kept_for_the_next() -> None:
    program = (
        "import resource; from claude_proxy.server import process; process.keep_freed_memory()\n"
        "def large(): [b'x' * 2_000_000 for _ in range(4)]\n"
        "large(); before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt; large()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 100  # of the 1,953 pages that it is
