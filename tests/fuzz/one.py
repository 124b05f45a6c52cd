"""Fuzzes one target in this process, which ends with it: TARGET, then libFuzzer's options or an input."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["connector", "schemas", "wire"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    _, name, *options = sys.argv
    atheris.Setup([name, *options], TARGETS[name].run)
    atheris.Fuzz()
