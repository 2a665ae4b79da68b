"""How a connection to a mail server is made safe, and when it need not be: what SMTP, IMAP and OAuth have in common."""

from __future__ import annotations

import ipaddress
from enum import StrEnum


class Security(StrEnum):
    """TLS from the first byte, TLS before anything is said that matters, or none (to this very machine only)."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


def is_loopback(host: str) -> bool:
    """Whether `host` is this very machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
