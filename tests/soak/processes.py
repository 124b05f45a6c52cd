"""The product's processes, which are killed with SIGKILL and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from tests.running import ROOT, wait_until_ready


class Process:
    """One process with its children; its log goes on over every start."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.log = folder / f"{name}.log"
        self._environment = environment
        self._running: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> subprocess.Popen[bytes]:
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
        return self._running

    def kill(self) -> None:
        """Ends it, and what it started, with no chance to clean up."""
        assert self._running is not None
        assert self._running.poll() is None, f"ended by itself: {self.log.read_text()[-2000:]}"
        os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()

    def end(self) -> None:
        """The same where it still runs, if it ever did."""
        if self._running is not None and self._running.poll() is None:
            self.kill()

    def stop(self) -> int:
        """Ends it as an operator does; its exit code."""
        assert self._running is not None
        self._running.terminate()
        return self._running.wait(90)


class Worker(Process):
    """A worker, with a `fault` or none."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str], fault: str) -> None:
        super().__init__(name, folder, environment)
        self._fault = fault

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.soak.worker", *([self._fault] if self._fault else [])]

    def wait_until_ready(self) -> None:
        """Until it heeds SIGTERM."""
        assert self._running is not None
        for _ in range(600):
            if f"{self._running.pid} is at work" in self.log.read_text():
                return
            time.sleep(0.1)
        raise AssertionError(f"not at work: {self.log.read_text()[-2000:]}")


class Web(Process):
    """The web server."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(name, folder, environment)
        self.url = f"http://127.0.0.1:{environment['PORT']}"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "gunicorn", "app:app"]

    def wait_until_ready(self) -> None:
        assert self._running is not None
        wait_until_ready(self.url, self._running, self.log)

    def call(self, method: str, path: str, key: str, **body: object) -> requests.Response:
        """One request with the API key `key`."""
        headers = {"Authorization": f"Bearer {key}"}
        return requests.request(
            method, f"{self.url}{path}", json=body or None, headers=headers, timeout=60
        )
