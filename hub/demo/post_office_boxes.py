"""The post office's own face, mounted at /demo/post: mail boxes for the page /demo/mail and for tests.

    GET  /boxes                                  the people, their unread mails, and the hub's address
    WS   /boxes/{owner}/live?since=              {"position", "whole", "unread", "letters": […]} at every change
    GET  /boxes/{owner}/letters/{id}             one mail to read
    GET  /boxes/{owner}/letters/{id}/html        its HTML, for a sandboxed frame
    GET  /boxes/{owner}/letters/{id}/parts/{n}   a file of it
    POST /boxes/{owner}/letters                  JSON or multipart (to, subject, text, answers, file…) → 201
    POST /boxes/{owner}/letters/{id}/read        it was opened

There is no sign-in: whoever reaches the demo is the customer. Requests of other sites' pages are refused by Origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import Field
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.demo import letters
from hub.demo.carrier_handset import Body, check_origin, exception_handlers, read_body
from hub.demo.letters import PICTURE_TYPES, File
from hub.demo.people import Correspondent
from hub.errors import CallerError, Forbidden, NotFound
from hub.mail.html import document, make_safe

if TYPE_CHECKING:
    from hub.demo.post_office import Letter, PostOffice

LETTERS_LIMIT = 300
FORM_PART_LIMIT_BYTES = 16 * 1024 * 1024


class NewLetter(Body):
    to: str = Field(max_length=2_000)
    subject: str = Field(default="", max_length=2_000)
    text: str = Field(default="", max_length=200_000)
    answers: str | None = None


def make_boxes(office: PostOffice, *, shown: Sequence[Correspondent], hub_address: str) -> Starlette:
    """The application. `shown` are those whose boxes can be opened; `hub_address` is whom they write to."""
    owners = {person.email: person for person in shown}

    def owner_of(path_params: dict[str, str]) -> str:
        owner = path_params["owner"]
        if owner not in owners:
            raise NotFound(f"Nobody has the mail box {owner}.")
        return owner

    def unread() -> dict[str, int]:
        return {owner: office.unread(owner) for owner in owners}

    def access_letter(request: Request) -> Letter:
        return office.letter(owner_of(request.path_params), request.path_params["id"])

    async def list_boxes(request: Request) -> Response:
        counts = unread()
        people = [
            {
                "name": person.name,
                "address": person.email,
                "language": person.language,
                "habit": person.habit.value,
                "opener": {"subject": person.opener[0], "text": person.opener[1]},
                "unread": counts[person.email],
            }
            for person in shown
        ]
        return JSONResponse({"hub": hub_address, "people": people})

    async def live(socket: WebSocket) -> None:
        try:
            check_origin(socket.headers)
            owner = owner_of(socket.path_params)
        except CallerError as error:
            await socket.close(4403 if isinstance(error, Forbidden) else 4404, error.message)
            return
        await socket.accept()
        epoch, _, since = socket.query_params.get("since", "").partition("-")
        seen = int(since) if epoch == office.epoch and since.isdecimal() else -1

        async def pump() -> None:
            nonlocal seen
            told: dict[str, int] = {}
            while True:
                changed, now = office.changed, office.revision
                fresh = [each for each in office.box(owner) if each.revision > seen]
                counts = unread()
                if fresh or seen < 0 or counts != told:
                    await socket.send_json(
                        {
                            "position": f"{office.epoch}-{now}",
                            "whole": seen < 0,
                            "unread": counts,
                            "letters": [listed(each) for each in fresh[-LETTERS_LIMIT:]],
                        }
                    )
                seen, told = now, counts
                await changed.wait()

        pumping = asyncio.create_task(pump())
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    async def get_letter(request: Request) -> Response:
        letter = access_letter(request)
        reading = office.read(letter)
        return JSONResponse(
            {
                **listed(letter),
                "reply_to": {"name": reading.reply_to[0], "address": reading.reply_to[1]},
                "text": reading.text,
                "has_html": reading.html is not None,
                "parts": [
                    {
                        "number": each.number,
                        "name": each.name,
                        "media_type": each.media_type,
                        "size_bytes": each.size_bytes,
                        "is_inline": each.is_inline,
                    }
                    for each in reading.parts
                ],
            }
        )

    async def get_html(request: Request) -> Response:
        letter = access_letter(request)
        reading = office.read(letter)
        if reading.html is None:
            raise NotFound("This mail has no HTML.")
        # The frame has no origin of its own, so our pictures are named by their whole address.
        origin = f"{request.url.scheme}://{request.url.netloc}"
        place = quote(request.url.path.removesuffix("/html"))
        inline = {
            each.content_id: f"{origin}{place}/parts/{each.number}"
            for each in reading.parts
            if each.content_id is not None
        }
        safe = await asyncio.to_thread(make_safe, reading.html, inline=inline, show_remote=False)
        page, policy = document(safe, image_origins=origin)
        headers = {
            "Content-Security-Policy": policy,
            "X-Frame-Options": "SAMEORIGIN",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    async def get_part(request: Request) -> Response:
        letter = access_letter(request)
        file = letters.part(office.content(letter), request.path_params["number"])
        if file is None:
            raise NotFound("There is no such file in this mail.")
        is_shown = file.media_type in PICTURE_TYPES
        return Response(
            file.content,
            media_type=file.media_type if is_shown else "application/octet-stream",
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Content-Disposition": f"{'inline' if is_shown else 'attachment'}; filename*=UTF-8''{quote(file.name)}",
                # A mail's sandboxed frame has no origin: to the browser it is another site.
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Cache-Control": "private, max-age=86400, immutable",
            },
        )

    async def post_letter(request: Request) -> Response:
        check_origin(request.headers)
        owner = owner_of(request.path_params)
        files: list[File] = []
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            async with request.form(max_files=10, max_fields=10, max_part_size=FORM_PART_LIMIT_BYTES) as form:
                wanted = NewLetter(
                    to=str(form.get("to", ""))[:2_000],
                    subject=str(form.get("subject", ""))[:2_000],
                    text=str(form.get("text", ""))[:200_000],
                    answers=str(form.get("answers", "")) or None,
                )
                for part in form.getlist("file"):
                    if isinstance(part, UploadFile):
                        media_type = part.content_type or "application/octet-stream"
                        files.append(File((part.filename or "file")[:120], media_type, await part.read()))
        else:
            wanted = await read_body(request, NewLetter)
        letter = office.write(
            owner, to=wanted.to, subject=wanted.subject, text=wanted.text, files=files, answers=wanted.answers
        )
        return JSONResponse(listed(letter), 201)

    async def post_read(request: Request) -> Response:
        check_origin(request.headers)
        letter = access_letter(request)
        office.mark_read(letter)
        return JSONResponse(listed(letter))

    return Starlette(
        routes=[
            Route("/boxes", list_boxes),
            Route("/boxes/{owner}/letters", post_letter, methods=["POST"]),
            WebSocketRoute("/boxes/{owner}/live", live),
            Route("/boxes/{owner}/letters/{id}", get_letter),
            Route("/boxes/{owner}/letters/{id}/html", get_html),
            Route("/boxes/{owner}/letters/{id}/parts/{number:int}", get_part),
            Route("/boxes/{owner}/letters/{id}/read", post_read, methods=["POST"]),
        ],
        exception_handlers=exception_handlers,
    )


def listed(letter: Letter) -> dict[str, object]:
    """A mail as the list shows it."""
    return {
        "id": letter.id,
        "folder": letter.folder,
        "status": letter.status,
        "problem": letter.problem,
        "attempts": letter.attempts,
        "at": letter.at.isoformat(),
        "author": {"name": letter.author_name, "address": letter.author},
        "to": letter.to,
        "subject": letter.subject,
        "snippet": letter.snippet,
        "file_count": letter.file_count,
        "is_automatic": letter.is_automatic,
        "is_read": letter.is_read,
        "revision": letter.revision,
    }
