"""Names and numbers that all processes of a benchmark agree on. Standard library only: load generators stay small."""

from __future__ import annotations

CHANNEL_ID = "sms-bench"
HUB_NUMBER = "+15005550006"
ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN = "bench-token"
CUSTOMERS = 500


def phone_of(number: int) -> str:
    """E.164 numbers of Ofcom's range for drama (+44 7700 900xxx): nobody has them."""
    return f"+4477009{number:05d}"


def text_of(number: int) -> str:
    """A message that can be found again in a frame, of the length that customers write (60 characters)."""
    return f"bench {number:07d} Where is my order? It was due yesterday."


def number_of(text: str) -> int:
    return int(text.split()[1])


def sid_of(number: int) -> str:
    return f"SM{number:032x}"
