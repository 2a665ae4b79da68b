"""The outermost layer of every answer: security headers, a request id, one line in the log, and a last net.

Plain ASGI. The policy for pages lets nothing in but our own files: no inline script or style, no foreign host, no frame
but our own (a mail's HTML, which has a stricter policy). The log tells method, route template, status and time; never a
path's values, a query string, a body or a name.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

REQUEST_ID = "hub.request_id"

# RFC 6797 6.1.1: a year, as browsers' preload lists want it.
_HSTS = "max-age=31536000; includeSubDomains"
_PERMISSIONS = "camera=(), geolocation=(), microphone=(self), payment=(), usb=(), interest-cohort=()"


def page_policy(public_url: str, hosts: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of our pages. `connect-src` names the socket's scheme and host, because browsers
    before 2023 do not count ws: as 'self'; and `hosts`, which a provider's page library speaks with."""
    parts = urlsplit(public_url)
    socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    reached = " ".join(["'self'", socket, *hosts])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        f"connect-src {reached}; font-src 'self'; frame-src 'self'; manifest-src 'self'; worker-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def is_own_origin(connection: HTTPConnection, public_url: str) -> bool:
    """Whether a browser made this request from a page of ours; also true for what is no browser and says nothing.

    Sec-Fetch-Site is the browser's own word, which no page can forge; where it is missing (plain http on a name other
    than localhost, older browsers) the Origin must be ours: the public address, or the one that was asked.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    if site == "same-origin":
        return True
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    parts = urlsplit(origin)
    asked = connection.headers.get("host", "")
    public = urlsplit(public_url)
    return (parts.scheme, parts.netloc) == (public.scheme, public.netloc) or (
        bool(parts.netloc) and parts.scheme in ("http", "https") and parts.netloc == asked
    )


def is_own_socket_origin(connection: HTTPConnection, public_url: str) -> bool:
    """For websockets, which know no CSRF token and no CORS: a browser always sends an Origin, so with a cookie there
    must be one, and it must be ours."""
    return "origin" in connection.headers and is_own_origin(connection, public_url)


class SecureAnswers:
    """`SecureAnswers(app, public_url)` wraps the whole app."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self.app = app
        headers = {
            "content-security-policy": page_policy(public_url),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "permissions-policy": _PERMISSIONS,
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }
        if public_url.startswith("https://"):
            headers["strict-transport-security"] = _HSTS
        self._headers = _raw(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope[REQUEST_ID] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # A route's own word wins: the widget is for other sites, an attachment's policy is stricter than a
                # page's.
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in self._headers if pair[0] not in own),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            log.error("request.failed", exc_info=error, extra={"request_id": request_id})
            if status:  # the answer has begun; cutting the connection is the only way left to say that it is broken
                raise
            body = {"code": "internal", "message": f"something went wrong here; request id {request_id}"}
            await send_with_headers(
                {
                    "type": "http.response.start",
                    "status": 500,
                    "headers": [(b"content-type", b"application/json"), (b"cache-control", b"no-store")],
                }
            )
            await send({"type": "http.response.body", "body": json.dumps(body).encode()})
        finally:
            log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "route": _template(scope),
                    "status": status,
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                    "request_id": request_id,
                },
            )


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _template(scope: Scope) -> str:
    """The route's pattern, never what stood in its place: ids, tokens and addresses stay out of the log."""
    return str(getattr(scope.get("route"), "path", "-"))
