"""Asks OSV whether a vulnerability is known of what is pinned: `python -m tests.audit FILE`.

pip-audit ends in the same way where there is one and where nobody could be asked. Here only the first is a
failure, as checks have to pass without a network; the second says loudly that nothing was audited.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Final

_PIP_AUDIT: Final = (sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip")
_OPTIONS: Final = ("--vulnerability-service=osv", "--format=json", "--progress-spinner=off")
# How pip-audit's last line begins where the service is not there, or is not what answers.
_NOT_REACHED: Final = re.compile(
    r"requests\.exceptions\.|pip_audit\._service\.interface\.\w+Error\b"
    r"|ERROR:pip_audit\._cli:Tip: your network"
)


def audit(requirements: str) -> int:
    """Audits the pins in a file, says what was found, and answers the exit status."""
    done = subprocess.run(
        [*_PIP_AUDIT, *_OPTIONS, "--timeout=30", "--requirement", requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if not done.stdout:
        if _NOT_REACHED.match(last):
            print(f"NOT AUDITED: OSV can't be asked about {requirements} ({last[:120]})")
            return 0
        print(done.stderr, file=sys.stderr)
        return 1
    pins = json.loads(done.stdout)["dependencies"]
    skipped = [pin["name"] for pin in pins if "skip_reason" in pin]
    known = [(pin, each) for pin in pins for each in pin.get("vulns", ())]
    for pin, each in known:
        fixed = ", ".join(each["fix_versions"]) or "no version"
        print(f"VULNERABLE: {pin['name']} {pin['version']}, {each['id']}, mended in {fixed}")
    if skipped:
        print(f"NOT AUDITED: {', '.join(skipped)}")
    if not known:
        print(f"Audited {len(pins) - len(skipped)} pins: no known vulnerability.")
    return done.returncode


if __name__ == "__main__":
    sys.exit(audit(*sys.argv[1:]))
