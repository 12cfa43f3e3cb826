"""`make audit`: compare what the lock pins with known vulnerabilities, and look for risky code.

It runs in the environment of its tools, `.venv-audit`. pip-audit reports packages that its database
does not answer for as skipped, with status 0, and an unreachable database by a traceback. Here
neither passes for a lock without vulnerabilities.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TOOLS = Path(sys.executable).parent
_EXTRAS = ("boosting", "oidc", "otel")
LOCKS = ("requirements.lock", *(f"requirements-{each}.lock" for each in _EXTRAS))
NOT_COMPARED = "%s was NOT compared with known vulnerabilities: the database cannot be reached"


def main() -> int:
    """Print what was found; return the status of the process, 1 if there is something."""
    wrong = [line for lock in LOCKS for line in compared(lock)]
    for line in wrong:
        print(line)
    risky = subprocess.run(
        [TOOLS / "bandit", "-q", "-c", "pyproject.toml", "-r", "app"], check=False
    )
    if not risky.returncode:
        print("bandit finds nothing in app/")
    return 1 if wrong or risky.returncode else 0


def compared(lock: str) -> list[str]:
    """Return a line for each vulnerability of a lock, and print what was not compared."""
    options = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json")
    ended = subprocess.run(
        [TOOLS / "pip-audit", *options, "-r", lock], capture_output=True, text=True, check=False
    )
    found, said = read_report(lock, ended.stdout, ended.stderr)
    print(said)
    return found


def read_report(lock: str, report: str, errors: str) -> tuple[list[str], str]:
    """Return a line for each finding of a report of pip-audit, and how much was compared.

    A report that is none is a finding, unless the database could not be reached. So is a package
    that was skipped beside others that were not.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = errors.strip().rpartition("\n")[2]
        if "ConnectionError" in errors or "Connection" in last:
            return [], NOT_COMPARED % lock
        return [f"{lock}: pip-audit failed: {last}"], f"{lock} was not compared"
    skipped = [each for each in packages if "skip_reason" in each]
    if len(skipped) == len(packages):
        return [], NOT_COMPARED % lock
    found = [f"{lock}: {each['name']} was not compared: {each['skip_reason']}" for each in skipped]
    for each in packages:
        for known in each.get("vulns", ()):
            fixed = ", ".join(known["fix_versions"]) or "none yet"
            found.append(
                f"{lock}: {each['name']} {each['version']}: {known['id']}, fixed in {fixed}"
            )
    return found, f"{lock}: {len(packages) - len(skipped)} packages were compared"


if __name__ == "__main__":
    sys.exit(main())
