"""Keeping requests to addresses that others name out of our own network (server-side request forgery).

An address that is written as a number is looked at (`is_own_number`); a name is looked at where the connection is made
(`public_resolver`), which leaves no gap between the check and the use (DNS rebinding). Redirects are for the caller: each
leads to another address.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp.abc


class NotPublic(OSError):
    """A name that leads into our own network. An OSError, because that is what a resolver may raise."""


def is_own_number(host: str) -> bool:
    """Whether a host is a number of our own network; the resolver is not asked about those. A name is none."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def public_resolver() -> aiohttp.abc.AbstractResolver:
    """A resolver that refuses (NotPublic) names of our own network."""
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.resolver import ThreadedResolver

    class PublicResolver(AbstractResolver):
        def __init__(self) -> None:
            self._inner = ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await self._inner.resolve(host, port, family)
            if not all(ipaddress.ip_address(each["host"]).is_global for each in found):
                raise NotPublic(f"{host} is not a public address")
            return found

        async def close(self) -> None:
            await self._inner.close()

    return PublicResolver()
