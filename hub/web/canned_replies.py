"""Canned replies: one's own, and those that are shared."""

from __future__ import annotations

from hub.agents.viewer import Viewer
from hub.domain.placeholders import CannedText
from hub.domain.views import CannedReplyView, CannedScope
from hub.store.database import Tx
from hub.timeline import canned_replies
from hub.timeline.canned_replies import Rendered, Wanted
from hub.web.api import DEFAULT_LIMIT, Access, Context, Limit, endpoint, read_cursor, write_cursor
from hub.web.schemas import (
    NewCannedReply,
    Page,
    PreviewCannedReply,
    PreviewedReply,
    RenderCannedReply,
    RenderedReply,
    SaveCannedReply,
)


@endpoint("GET", "/canned-replies", access=Access.AGENT, summary="List canned replies")
async def list_canned_replies(
    context: Context,
    q: str | None = None,
    folder: str | None = None,
    scope: CannedScope | None = None,
    id_: int | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[CannedReplyView]:
    """Your own, and the shared ones you may use: everybody's, and those of your queues (a supervisor: of all). `q`: all of
    these words stand in code, title, folder or text, whatever their case and accents; `folder`: this one and those in it;
    `id`: this one alone, if you may see it."""
    after = read_cursor(cursor, int)
    items = await context.hub.database.read(
        canned_replies.load_page,
        context.viewer,
        words=q,
        folder=folder,
        scope=scope,
        reply_id=id_,
        after_id=after[0] if after else 0,
        limit=limit,
    )
    return Page(items=items, next_cursor=write_cursor(items[-1].id) if len(items) == limit else None)


@endpoint("POST", "/canned-replies", access=Access.AGENT, status=201, summary="Keep a canned reply")
async def create_canned_reply(context: Context, body: NewCannedReply) -> CannedReplyView:
    """422 names what is wrong, a placeholder that does not exist among it. 403 if it is to be shared and you are no
    supervisor; 409 `code_taken`: among your own, or among the shared ones."""
    return await context.hub.database.transaction(canned_replies.create_reply, context.viewer, _wanted(body))


# Before the paths with an id: routes are tried in their order.
@endpoint("POST", "/canned-replies/preview", access=Access.AGENT, summary="How a text reads to a sample customer")
async def preview_canned_reply(context: Context, body: PreviewCannedReply) -> PreviewedReply:
    """Stores nothing. `faults` says why the text could not be kept as it is; it is filled in all the same."""
    text = CannedText(body.language, body.text, body.subject)
    rendered = await context.hub.database.read(
        canned_replies.preview, context.viewer, text, queue_id=body.queue_id, is_known=body.is_known
    )
    return PreviewedReply(rendered=_answer(rendered), faults=context.worded(canned_replies.faults_of(text)))


@endpoint("GET", "/canned-replies/{reply_id}", access=Access.AGENT, summary="One canned reply")
async def get_canned_reply(context: Context, reply_id: int) -> CannedReplyView:
    return await context.hub.database.read(canned_replies.access_reply, context.viewer, reply_id)


@endpoint("PUT", "/canned-replies/{reply_id}", access=Access.AGENT, summary="Change a canned reply")
async def replace_canned_reply(context: Context, reply_id: int, body: SaveCannedReply) -> CannedReplyView:
    """Your own; of the shared ones, as a supervisor. A personal one that is shared is everybody's from then on."""
    return await context.hub.database.transaction(
        canned_replies.replace_reply, context.viewer, reply_id, _wanted(body), body.expected_version
    )


@endpoint("DELETE", "/canned-replies/{reply_id}", access=Access.AGENT, summary="Remove a canned reply")
async def remove_canned_reply(context: Context, reply_id: int) -> None:
    """Your own; of the shared ones, as a supervisor. What was written with it stays."""
    await context.hub.database.transaction(canned_replies.remove_reply, context.viewer, reply_id)


@endpoint("POST", "/canned-replies/{reply_id}/render", access=Access.AGENT, summary="Fill it in for a conversation")
async def render_canned_reply(context: Context, reply_id: int, body: RenderCannedReply) -> RenderedReply:
    """The text as it goes into the writing field; nothing is sent. In a mail, values are escaped for its markup."""
    run = context.hub.database.transaction if body.uses else context.hub.database.read
    return _answer(await run(_render, context.viewer, reply_id, body))


def _render(tx: Tx, viewer: Viewer, reply_id: int, body: RenderCannedReply) -> Rendered:
    rendered = canned_replies.render(
        tx, viewer, reply_id, body.conversation_id, is_note=body.is_note, language=body.language
    )
    if body.uses:
        canned_replies.note_use(tx, viewer, reply_id)
    return rendered


def _wanted(body: NewCannedReply) -> Wanted:
    return Wanted(
        title=body.title,
        code=body.code,
        folder=body.folder,
        scope=body.scope,
        queue_ids=tuple(body.queue_ids),
        texts=tuple(CannedText(each.language, each.text, each.subject) for each in body.texts),
    )


def _answer(rendered: Rendered) -> RenderedReply:
    return RenderedReply(
        text=rendered.text,
        subject=rendered.subject,
        language=rendered.language,
        missing=list(rendered.missing),
    )
