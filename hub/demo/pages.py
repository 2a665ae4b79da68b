"""The demo's pages: /demo (a handset to be the customer with), /demo/mail (a mail box), /demo/shop (a page that has the
chat widget), /demo/call (a telephone in the browser), and what they ask for: who is there, what is happening, and the
switch of the robots.

Everything is a file of ours under /demo/static; the pages run under a policy that allows no inline script or style and
nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from hub.demo.carrier import Carrier, Message
from hub.demo.carrier_handset import Body, check_origin, read_body
from hub.demo.people import CALLERS, CORRESPONDENTS, PEOPLE, ROBOT_CORRESPONDENTS
from hub.demo.post_office import Letter, PostOffice
from hub.demo.post_office_boxes import make_boxes
from hub.errors import Conflict

STATIC = Path(__file__).parent / "static"
RECENT = 6

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "connect-src 'self' ws: wss:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Switch(Protocol):
    """Something that can be paused while the demo runs."""

    running: bool


@dataclass(frozen=True, slots=True)
class Login:
    role: str
    email: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What the pages show. `number` is the hub's number on the carrier, `mail_address` where one writes to it; `robots`
    None: the demo runs without any."""

    carrier: Carrier
    number: str
    post_office: PostOffice
    mail_address: str
    logins: Sequence[Login]
    password: str
    robots: Switch | None = None


class SetRobots(Body):
    running: bool


def routes(demo: Demo) -> list[BaseRoute]:
    """All routes of the demo, with their full paths from the root of the hub's application."""
    names = {someone.phone: someone.name for cast in (PEOPLE, CALLERS) for someone in cast}
    names |= {someone.email: someone.name for cast in (CORRESPONDENTS, ROBOT_CORRESPONDENTS) for someone in cast}

    async def handset(request: Request) -> Response:
        return FileResponse(STATIC / "handset.html", headers=HEADERS)

    async def shop(request: Request) -> Response:
        return FileResponse(STATIC / "shop.html", headers=HEADERS)

    async def call(request: Request) -> Response:
        return FileResponse(STATIC / "call.html", headers=HEADERS)

    async def mail(request: Request) -> Response:
        return FileResponse(STATIC / "mail.html", headers=HEADERS)

    async def about(request: Request) -> Response:
        return JSONResponse(
            {
                "number": demo.number,
                "people": [{"name": p.name, "phone": p.phone, "opener": p.opener} for p in PEOPLE],
                "logins": [{"role": login.role, "email": login.email} for login in demo.logins],
                "password": demo.password,
            }
        )

    def text_line(message: Message) -> dict[str, str]:
        name = names.get(message.phone, message.phone).split(" ")[0]
        sent = message.direction == "inbound"
        return {
            "who": name if sent else f"→ {name}",
            "text": message.body or "a picture",
            "at": message.created_at.isoformat(),
        }

    def mail_line(letter: Letter) -> dict[str, str]:
        name = names.get(letter.owner, "Post office").split(" ")[0]
        return {
            "who": name if letter.folder == "sent" else f"→ {name}",
            "text": f"✉ {letter.subject}",
            "at": letter.at.isoformat(),
        }

    async def now(request: Request) -> Response:
        texts = islice(reversed(demo.carrier.messages.values()), RECENT)
        mails = islice(reversed(demo.post_office.letters.values()), RECENT)
        recent = sorted((*map(text_line, texts), *map(mail_line, mails)), key=lambda line: line["at"], reverse=True)
        return JSONResponse({"robots": _robots(demo), "recent": recent[:RECENT]})

    async def set_robots(request: Request) -> Response:
        check_origin(request.headers)
        wanted = await read_body(request, SetRobots)
        if demo.robots is None:
            raise Conflict("This demo runs without robots.", code="no_robots")
        demo.robots.running = wanted.running
        return JSONResponse(_robots(demo))

    return [
        Route("/demo", handset),
        Route("/demo/shop", shop),
        Route("/demo/call", call),
        Route("/demo/mail", mail),
        Route("/demo/about", about),
        Route("/demo/now", now),
        Route("/demo/robots", set_robots, methods=["POST"]),
        Mount("/demo/static", StaticFiles(directory=STATIC)),
        Mount("/demo/carrier", demo.carrier.app),
        Mount("/demo/post", make_boxes(demo.post_office, shown=CORRESPONDENTS, hub_address=demo.mail_address)),
    ]


def _robots(demo: Demo) -> dict[str, bool]:
    return {"present": demo.robots is not None, "running": demo.robots is not None and demo.robots.running}
