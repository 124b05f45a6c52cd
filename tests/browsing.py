"""A real Chromium without a window, driven over its debugging pipe: no driver, no port."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60
# Without a sandbox, as tests also run as root; without the calls home that are not the page's.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# Chromium reads from 3 and writes to 4.
AS_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass
class Page:
    """One tab: what it asked for, and what it complained of."""

    reading: int
    writing: int
    session: str = ""
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _buffer: bytes = b""
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends one command of the DevTools protocol, and notes the events before its answer."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self._note(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise."""
        result = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The first value of `expression` that counts as true."""
        polling = f"""new Promise((resolve, reject) => {{
          setTimeout(() => reject(new Error("still waiting")), {TIMEOUT_SECONDS - 10} * 1000);
          (function look() {{
            const value = ({expression});
            value ? resolve(value) : setTimeout(look, 50);
          }})();
        }})"""
        return self.evaluate(polling)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event["method"] == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif event["method"] == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self.reading], [], [], TIMEOUT_SECONDS)[0], "Chromium is silent"
            chunk = os.read(self.reading, 65536)
            assert chunk, "Chromium has ended"
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


@contextmanager
def open_page(url: str, profile: Path) -> Iterator[Page]:
    """`url` in a new Chromium with an empty profile."""
    chromium = shutil.which("chromium")
    assert chromium, "The tests need chromium: make tools"
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with _pipes() as (page, theirs):
        process = subprocess.Popen(
            [sys.executable, "-c", AS_3_AND_4, *map(str, theirs), *command],
            pass_fds=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # So that we hear when it ends.
        for fd in theirs:
            os.close(fd)
        try:
            _attach(page)
            page.call("Page.navigate", url=url)
            yield page
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)


def _attach(page: Page) -> None:
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    attached = page.call("Target.attachToTarget", targetId=target, flatten=True)
    page.session = attached["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        page.call(f"{domain}.enable")


@contextmanager
def _pipes() -> Iterator[tuple[Page, tuple[int, int]]]:
    """A page with our ends, and theirs, which are the caller's to close."""
    their_input, our_output, our_input, their_output = map(_high, (*os.pipe(), *os.pipe()))
    try:
        yield Page(our_input, our_output), (their_input, their_output)
    finally:
        os.close(our_input)
        os.close(our_output)


def _high(fd: int) -> int:
    """The same, numbered so high that 3 and 4 can be given away."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(fd)
    return high
