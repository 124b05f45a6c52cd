"""The product's processes, which are killed with SIGKILL and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import requests

from tests.running import ROOT

_STOP_SECONDS: Final = 90
_READY_SECONDS: Final = 60.0


class Process:
    """One process with its children; its log goes on over every start."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.sessions: list[int] = []
        self._environment = environment
        self._running: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> None:
        """Begins; without waiting until it is ready."""
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.sessions.append(self._running.pid)

    @property
    def pid(self) -> int:
        """The process itself, without its children."""
        assert self._running is not None
        return self._running.pid

    def kill(self) -> None:
        """Ends it, without its children, and with no chance to clean up."""
        assert self._running is not None
        assert self._running.poll() is None, f"ended by itself: {self.log.read_text()[-2000:]}"
        self._running.kill()
        self._running.wait()

    def end(self) -> None:
        """Ends whatever of it still runs."""
        for session in self.sessions:
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
        if self._running is not None:
            self._running.wait()

    def stop(self) -> int:
        """Ends it as an operator does; its exit code."""
        assert self._running is not None
        self._running.terminate()
        try:
            return self._running.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return -signal.SIGALRM

    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        assert self._running is not None
        return self._running.poll() is not None


class Worker(Process):
    """A worker, with a `fault` or none."""

    def __init__(
        self,
        name: str,
        folder: Path,
        environment: Mapping[str, str],
        *,
        fault: str,
        lease_seconds: float,
    ) -> None:
        super().__init__(name, folder, environment)
        self._arguments = [str(lease_seconds), fault]

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.soak.worker", *self._arguments]

    def wait_until_ready(self) -> None:
        """Until it heeds SIGTERM."""
        for _ in range(600):
            if f"{self.pid} has begun" in self.log.read_text():
                return
            time.sleep(0.1)
        raise AssertionError(f"it never began: {self.log.read_text()[-2000:]}")


class Web(Process):
    """The web server. `downs` are the times from a kill until it answered again."""

    def __init__(
        self, name: str, folder: Path, environment: Mapping[str, str], *, fault: str
    ) -> None:
        super().__init__(name, folder, {**environment, "SOAK_FAULT": fault})
        self.url = f"http://127.0.0.1:{environment['PORT']}"
        self.downs: list[tuple[float, float]] = []

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "gunicorn", "tests.soak.web:app"]

    @property
    def children(self) -> list[int]:
        """The processes that answer, the eldest first."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return sorted(map(int, path.read_text().split()))

    def kill_child(self, pid: int) -> None:
        """Ends one of the processes that answer; the server itself starts another."""
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            # Until then its sockets are open.
            while pid in self.children:
                time.sleep(0.01)

    def restart(self) -> None:
        """Kills the server itself, whose children then end, and starts it until it is there again.

        As a service manager does: it can't listen before they let go.
        """
        at = time.monotonic()
        self.kill()
        self.start()
        self.wait_until_whole(at)

    def wait_until_ready(self) -> None:
        self.wait_until_whole(time.monotonic())

    def wait_until_whole(self, since: float) -> None:
        """Until it is as it was before it was hit; it was down `since` then."""
        while time.monotonic() < since + _READY_SECONDS:
            if self.has_ended():
                self.start()
            if self._is_whole():
                self.downs.append((since, time.monotonic()))
                return
            time.sleep(0.1)
        raise AssertionError(f"not ready: {self.log.read_text()[-2000:]}")

    def _is_whole(self) -> bool:
        """Whether it answers, by each of its own processes and no other's."""
        try:
            answers = requests.get(f"{self.url}/readyz", timeout=5).ok
            return answers and len(self.children) == int(self._environment["WEB_WORKERS"])
        except (requests.RequestException, OSError):
            return False

    def call(self, method: str, path: str, key: str, **body: object) -> requests.Response:
        """One request with the API key `key`."""
        headers = {"Authorization": f"Bearer {key}"}
        return requests.request(
            method, f"{self.url}{path}", json=body or None, headers=headers, timeout=60
        )


def left_behind(processes: Sequence[Process]) -> list[int]:
    """Whatever still runs of all that was ever started."""
    sessions = {session for process in processes for session in process.sessions}
    return [pid for pid in _running() if _session(pid) in sessions]


def _running() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _session(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    # The state comes first, then the parent, the group and the session.
    return 0 if fields[0] == "Z" else int(fields[3])
