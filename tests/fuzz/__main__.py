"""Fuzzes every parser of hostile text for a while: `make fuzz`, or `python -m tests.fuzz --help`."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.fuzz.targets import TARGETS
from tests.running import ROOT

# Longer than any input that some parser takes apart at all.
LONGEST = 8192
FINDINGS = Path("var/fuzz")


@dataclass(frozen=True)
class Outcome:
    """One run of one target. `finding` is a file with the input, or null."""

    name: str
    executions: int
    coverage: int
    finding: Path | None
    said: str


def fuzz(name: str, *, seconds: int, corpus: Path) -> Outcome:
    """Runs a target for so long or until it finds something; what it learns stays in `corpus`."""
    target = TARGETS[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    words = corpus.with_suffix(".words")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    FINDINGS.mkdir(parents=True, exist_ok=True)
    before = set(FINDINGS.iterdir())
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", name, str(corpus)),
            *(f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-dict={words}"),
            *("-print_final_stats=1", "-timeout=10", "-rss_limit_mb=1024"),
            f"-artifact_prefix={FINDINGS}/{name}-",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = ran.stdout + ran.stderr
    finding = next(iter(sorted(set(FINDINGS.iterdir()) - before)), None)
    if ran.returncode and not finding:
        raise click.ClickException(f"{name} did not run:\n{said[-2000:]}")
    return Outcome(
        name,
        _last(r"number_of_executed_units: (\d+)", said),
        _last(r"cov: (\d+)", said),
        finding,
        said,
    )


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _last(pattern: str, text: str) -> int:
    return int([0, *re.findall(pattern, text)][-1])


@click.command()
@click.option("--seconds", default=60, show_default=True, help="For each target.")
@click.option("--target", "names", multiple=True, type=click.Choice(list(TARGETS)))
@click.option("--corpus", type=click.Path(path_type=Path), help="Keep there what it learns.")
def main(seconds: int, names: tuple[str, ...], corpus: Path | None) -> None:
    """Print how many inputs each parser got, how much of it they reached, and what they found."""
    found = []
    click.echo("| parser | inputs | coverage | findings |\n| --- | ---: | ---: | --- |")
    with TemporaryDirectory() as folder:
        for name in names or TARGETS:
            outcome = fuzz(name, seconds=seconds, corpus=(corpus or Path(folder)) / name)
            click.echo(
                f"| {name} | {outcome.executions:,} | {outcome.coverage:,}"
                f" | {outcome.finding or 'none'} |"
            )
            found += [outcome] if outcome.finding else []
    for outcome in found:
        click.echo(
            f"\n{_reason(outcome.said)}\n  python -m tests.fuzz.one {outcome.name} {outcome.finding}"
        )
    sys.exit(bool(found))


def _reason(said: str) -> str:
    """What Python said of it."""
    lines = re.findall(r"Uncaught Python exception: ===\n(.*?)\n(?:==|\n|MS:)", said, re.S)
    return lines[-1] if lines else said[-1000:]


if __name__ == "__main__":
    main()
