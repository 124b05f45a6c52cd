"""Drives Zapier's real engine in a node process, as Zapier drives it: an event in, an outcome out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.running import NODE, ROOT, clean_environment

PACKAGE = ROOT / "platforms" / "zapier"


class ZapierError(Exception):
    """The engine threw: `name` is Zapier's class of error, `message` what its user reads."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        try:
            detail = json.loads(text)
        except ValueError:
            detail = {"message": text}
        self.message = str(detail.get("message", text))
        self.detail: Mapping[str, Any] = detail
        super().__init__(f"{name}: {self.message}")


@dataclass(frozen=True)
class Engine:
    """A running engine with the integration loaded, pointed at one connector."""

    stdin: IO[str]
    stdout: IO[str]

    def run(self, method: str, *, api_key: str = "", **inputs: Any) -> Any:
        """Executes e.g. `creates.get_profile.operation.perform`. Raises `ZapierError`."""
        bundle = {"authData": {"api_key": api_key}, "inputData": inputs}
        return self.send({"command": "execute", "method": method, "bundle": bundle})

    def hook(self, trigger: str, step: str, *, api_key: str = "", **bundle: Any) -> Any:
        """Executes a step of an instant trigger, such as `performSubscribe`. Raises `ZapierError`."""
        method = f"triggers.{trigger}_instant.operation.{step}"
        whole = {"authData": {"api_key": api_key}, **bundle}
        return self.send({"command": "execute", "method": method, "bundle": whole})

    def validate(self) -> list[Any]:
        """The faults that Zapier's own schema finds in the integration."""
        faults: list[Any] = self.send({"command": "validate"})
        return faults

    def send(self, event: Mapping[str, Any]) -> Any:
        """The results of one event. Raises `ZapierError`."""
        return self.outcome(event)["results"]

    def outcome(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The same with the status that Zapier gives the step. Raises `ZapierError`."""
        self.stdin.write(json.dumps(event) + "\n")
        self.stdin.flush()
        outcome: dict[str, Any] = json.loads(self.stdout.readline())
        if error := outcome.get("error"):
            raise ZapierError(error["name"], error["message"])
        return outcome


@contextmanager
def running_engine(base_url: str, package: Path = PACKAGE) -> Iterator[Engine]:
    """The engine over `package`, with `base_url` in the environment as on Zapier's servers."""
    # Without NODE_ENV=test its checks of results are silent.
    environment = clean_environment(BASE_URL=base_url, NODE_ENV="test")
    script = Path(__file__).with_suffix(".js")
    with subprocess.Popen(
        [NODE, str(script), str(package)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Engine(process.stdin, process.stdout)
        process.stdin.close()
