"""How many heaps the threads of a process have, as the C library itself tells."""

from __future__ import annotations

import subprocess
import sys

from tests.running import ROOT, clean_environment

THREADS = 12
SCRIPT = f"""
import ctypes, sys, threading
from wire.heaps import share_heaps
if sys.argv[1:]:
    share_heaps()
together = threading.Barrier({THREADS})
def allocate():
    kept = [bytes(1000) for _ in range(1000)]
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


def heaps(*words: str) -> int:
    command = [sys.executable, "-c", SCRIPT, *words]
    told = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True
    )
    return told.stdout.count("<heap nr=")


def test_threads_share_heaps_once_they_are_told_to() -> None:
    """On glibc, as wherever this is served."""
    assert heaps() > 2
    assert heaps("shared") == 2
