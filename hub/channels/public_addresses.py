"""Keeping requests to addresses that others name out of our own network (server-side request forgery).

An address that is written as a number is looked at (`is_own_number`); a name is looked at where the connection is made
(`public_resolver`), which leaves no gap between the check and the use (DNS rebinding). Redirects are for the caller: each
leads to another address.

aiohttp asks no resolver about what it takes for a number itself, and what it takes for one differs from release to release:
"2130706433" and "127.1" are 127.0.0.1 to the operating system. So digits and dots that are no plain IPv4 address are refused
here, and numbers with letters ("0x7f.1") are left to the resolver, which looks at where they lead.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp.abc


class NotPublic(OSError):
    """A name that leads into our own network. An OSError, because that is what a resolver may raise."""


# IPv6 addresses in which an IPv4 address is reached: NAT64 (RFC 6052) and 6to4 (RFC 3056), and where it stands in them.
_CARRIERS = (
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
# What `is_global` takes for public: "IPv4-compatible" (RFC 4291, 2.5.5.1) and site-local addresses (RFC 3879), both given up.
_GIVEN_UP = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("fec0::/10"))


def is_public(address: str) -> bool:
    """Whether a number leads to one machine outside our own network. ValueError if it is none."""
    number = ipaddress.ip_address(address)
    if isinstance(number, ipaddress.IPv6Address):
        if any(number in network for network in _GIVEN_UP):
            return False
        for network, shift in _CARRIERS:
            if number in network:
                return is_public(str(ipaddress.IPv4Address(int(number) >> shift & 0xFFFF_FFFF)))
    return number.is_global and not number.is_multicast


def is_own_number(host: str) -> bool:
    """Whether a host is a number of our own network, or may be one; the resolver is not asked about those. A name is none."""
    host = host.strip("[]")
    try:
        return not is_public(host)
    except ValueError:
        return not host.strip("0123456789.")


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
            if not all(is_public(each["host"]) for each in found):
                raise NotPublic(f"{host} is not a public address")
            return found

        async def close(self) -> None:
            await self._inner.close()

    return PublicResolver()
