"""Asks the advisory services of PyPI and npm about every dependency: `make check` runs it.

A known vulnerability fails. A service that cannot be reached does not, for then nobody could work offline or behind a
mirror that has no advisories; it is said in words instead, so that a skipped audit is never taken for a clean one.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = "audit skipped: advisory service not reachable"
TIMEOUT_S = 300

Findings = list[str]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no answer"


def parse_pip_audit(report: str) -> Findings | str:
    """The reason, if no dependency could be audited: a mirror without advisories answers 404 to every question."""
    dependencies = json.loads(report)["dependencies"]
    audited = [dependency for dependency in dependencies if "skip_reason" not in dependency]
    if not audited:
        return "it knows none of our dependencies"
    return [
        f"{dependency['name']} {dependency['version']}: {vulnerability['id']}"
        f" (repaired in: {', '.join(vulnerability['fix_versions']) or 'no release yet'})"
        for dependency in audited
        for vulnerability in dependency["vulns"]
    ]


def parse_npm_audit(report: str) -> Findings | str:
    """The reason, if there is no report but an error in its place."""
    try:
        answer = json.loads(report)
    except ValueError:
        return "no answer"
    if "vulnerabilities" not in answer:
        return str(answer.get("message", "no report"))
    return [f"{name}: {entry['severity']} ({entry['range']})" for name, entry in answer["vulnerabilities"].items()]


def audit_python() -> Findings | str:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        answer = run(
            sys.executable,
            *("-m", "pip_audit", "--skip-editable", "--local", "--progress-spinner", "off", "--timeout", "15"),
            *("--format", "json", "--output", str(output)),
        )
        if not output.is_file():
            return last_line(answer.stderr)
        return parse_pip_audit(output.read_text())


def audit_console() -> Findings | str:
    """All that is shipped; the build's own tools run on developers' machines, where `npm audit` shows them."""
    answer = run(sys.executable, "hatch_build.py", "npm", "audit", "--omit=dev", "--json")
    return parse_npm_audit(answer.stdout)


def main() -> int:
    failed = False
    for name, audit in (("PyPI", audit_python), ("npm", audit_console)):
        try:
            findings = audit()
        except subprocess.TimeoutExpired:
            findings = f"no answer in {TIMEOUT_S} s"
        if isinstance(findings, str):
            print(f"{name}: {SKIPPED} ({findings})")
        elif findings:
            failed = True
            print(f"{name}: {len(findings)} known vulnerabilities:", *findings, sep="\n  ")
        else:
            print(f"{name}: no known vulnerabilities")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
