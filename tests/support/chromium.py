"""Where a Chromium for the browser tests is, and how it is started: Debian's own, driven by Playwright.

Playwright's own browser builds are not used: they cannot be had from a package registry.
"""

import shutil

# In the order of preference; names on PATH.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# No sandbox because CI runs as root; the rest keeps the browser from talking to anybody but the hub.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have 64 MB there, a tab may want more
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class ChromiumMissingError(Exception):
    """No Chromium on this machine; the message says what to install."""


def find_chromium() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path is not None), None)


def check_chromium() -> str:
    """The browser's path, or an error in words."""
    path = find_chromium()
    if path is None:
        raise ChromiumMissingError(
            "The browser tests need Chromium and found none. Install Debian's package `chromium` (or Google Chrome), or"
            " run `make test` as root, which sees to it. To leave these tests out: pytest -m 'not browser'."
        )
    return path
