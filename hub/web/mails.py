"""Mails looked at closely: their whole text, their HTML made safe, and the message itself.

The HTML is a document of its own with a policy of its own (hub.mail.html.document), for a sandboxed frame: it has no
origin, so nothing in it can act on the console or be sent with its cookie. Its inline pictures therefore come from
addresses that are signed and end after a while.

A mail that quotes a survey has the customer's link in it. Text and HTML were kept without (hub.surveys.links); the message
as it came is not for those whose work the score is about.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from starlette.responses import FileResponse, Response

from hub.agents.viewer import Viewer
from hub.domain.values import Role
from hub.errors import Forbidden, NotFound
from hub.mail.html import SafeHtml, document, make_safe
from hub.store.database import Tx
from hub.surveys import links
from hub.timeline import conversations, mails
from hub.timeline.mails import WholeMail
from hub.timeline.sending import file_path
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import MailDetail, MailSpan

# As long as somebody may look at one mail without asking for it again.
_INLINE_FOR = timedelta(hours=12)


def _access_mail(tx: Tx, viewer: Viewer, entry_id: int) -> WholeMail:
    """The mail, for whoever may see what stands on its customer's timeline."""
    entry = conversations.load_entry(tx, entry_id)
    try:
        conversations.access_entry_of(tx, viewer, entry.conversation_id)
    except NotFound:
        raise NotFound("there is no such entry") from None
    return mails.load_whole(tx, entry_id)


def _make_safe(context: Context, mail: WholeMail, *, show_remote: bool) -> SafeHtml:
    hub = context.hub
    until = hub.database.clock() + _INLINE_FOR
    urls = {
        content_id: hub.settings.public_url + file_path(hub.vault, str(attachment_id), until)
        for content_id, attachment_id in mail.inline.items()
    }
    return make_safe(mail.html or "", inline=urls, show_remote=show_remote)


@endpoint("GET", "/entries/{entry_id}/mail", access=Access.AGENT, summary="A mail with all there is to it")
async def get_mail(context: Context, entry_id: int) -> MailDetail:
    """Its whole text, the quoted history and signatures told apart."""
    mail = await context.hub.database.read(_access_mail, context.viewer, entry_id)
    remote = 0
    if mail.html is not None:
        remote = (await asyncio.to_thread(_make_safe, context, mail, show_remote=False)).blocked
    view = mail.view
    is_kept_back = not context.viewer.covers(Role.SUPERVISOR) and links.is_hidden_in(mail.html, mail.spans)
    return MailDetail(
        entry_id=entry_id,
        message_id=mail.message_id,
        subject=view.subject,
        senders=list(view.senders),
        reply_to=list(view.reply_to),
        to=list(mail.to),
        cc=list(mail.cc),
        bcc=list(view.bcc),
        sent_at=mail.sent_at,
        size_bytes=mail.size_bytes,
        noise=view.noise,
        fault=view.fault,
        spans=[MailSpan(kind=span.kind, text=span.text) for span in mail.spans],
        has_html=view.has_html,
        has_raw=view.has_raw and not is_kept_back,
        remote_images=remote,
    )


@endpoint(
    "GET",
    "/entries/{entry_id}/mail/html",
    access=Access.AGENT,
    summary="A mail's HTML, made safe",
    media_type="text/html",
)
async def get_mail_html(context: Context, entry_id: int, images: bool = False) -> Response:
    """A document for a sandboxed frame. `images`: load pictures from elsewhere, which tells their senders that the mail is
    being read."""
    mail = await context.hub.database.read(_access_mail, context.viewer, entry_id)
    if mail.html is None:
        raise NotFound("this mail has no HTML")
    safe = await asyncio.to_thread(_make_safe, context, mail, show_remote=images)
    origin = context.hub.settings.public_url
    html, policy = document(safe, image_origins=f"{origin} https: http:" if images else origin)
    headers = {
        "Content-Security-Policy": policy,
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
    }
    return Response(html, media_type="text/html; charset=utf-8", headers=headers)


@endpoint(
    "GET",
    "/entries/{entry_id}/mail/raw",
    access=Access.AGENT,
    summary="The message as it came",
    media_type="message/rfc822",
)
async def get_mail_raw(context: Context, entry_id: int) -> Response:
    """A download; mail programs open it. 403 `survey_link` for agents, if the customer's link of a survey is in it."""
    mail = await context.hub.database.read(_access_mail, context.viewer, entry_id)
    if mail.raw_key is None:
        raise NotFound("the hub does not hold this message as it was")
    path = context.hub.files.path(mail.raw_key)
    await check_no_link(context.viewer, path)
    return FileResponse(
        path,
        media_type="message/rfc822",
        filename=f"mail-{entry_id}.eml",
        headers={"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-store"},
    )


async def check_no_link(viewer: Viewer, path: Path) -> None:
    """Refuses agents a message by which they could answer a survey in the customer's place."""
    if viewer.covers(Role.SUPERVISOR):
        return
    if await asyncio.to_thread(lambda: links.has_link(path.read_bytes())):
        raise Forbidden("a customer's link to a survey is in it; a supervisor can download it", code="survey_link")
