"""A store that speaks S3, for tests: moto's server in a process of its own, on 127.0.0.1, in memory."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.postgres import find_free_port

BUCKET = "calls"
# A start takes 2 s on a quiet machine.
_READY_S = 60.0


@contextmanager
def run_bucket() -> Iterator[str]:
    """The address of a store that has an empty bucket BUCKET."""
    port = find_free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _create(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _create(port: int) -> None:
    ends_at = time.monotonic() + _READY_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("PUT", f"/{BUCKET}")
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return
        except OSError:
            assert time.monotonic() < ends_at, "the store did not come up"
            time.sleep(0.05)
        finally:
            connection.close()
