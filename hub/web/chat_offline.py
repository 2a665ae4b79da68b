"""The form of a chat that nobody answers now: what is left there becomes a conversation by mail.

    POST /chat/{channel_id}/offline   {client_id, text, form: {email, name?, …}, language?}  →  201 {"address"}

The answer goes to the address that was typed, from the mail account that the widget names. It proves nothing: the address
stays unverified, the visitor gets to see nothing of its card, and it begins a conversation of its own, whatever the typed
address has written before. Once only by `client_id`, and few of one visitor, of one
machine and for one address: else it would be a way to have the hub write to strangers.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.channels import chat
from hub.channels.channel import MessageArrival, clean_text
from hub.channels.chat import TEXT_LIMIT
from hub.channels.email import EmailChannel
from hub.domain.mail import IncomingMail, Mailbox, Span, SpanKind
from hub.domain.sentences import Sentence
from hub.domain.values import ContactKind
from hub.domain.widget import Answers, Asked, answer_line, check_answers
from hub.errors import BadRequest, Conflict, InvalidInput, Unauthenticated
from hub.timeline import customers, widgets
from hub.web.api import HubLike, error_answer, hub_of
from hub.web.chat_socket import Who, address_of, allow, checked_channel, mail_account, read_visitor

_BODY_LIMIT_BYTES = 64 * 1024
_SUBJECT_LIMIT = 80
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


async def leave(request: Request) -> Response:
    """Conflict `not_offline` where the widget has no such form; InvalidInput names each faulty field: `text`, `client_id`,
    `form.email` …"""
    hub = hub_of(request)
    try:
        channel = await checked_channel(request)
        widget = channel.account.widget
        account = await mail_account(hub, channel)
        if account is None:
            raise Conflict("this chat takes no messages for later", code="not_offline")
        who = read_visitor(hub, request, channel)
        if who is None:
            raise Unauthenticated("this visitor is not known; visit first")
        told = await _read_body(request)
        problems: dict[str, str] = {}
        client_id, text = told.get("client_id"), told.get("text")
        if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
            problems["client_id"] = Sentence("must be 1 to 64 letters, digits, _ or -")
        text = clean_text(text).strip() if isinstance(text, str) else ""
        if not text:
            problems["text"] = Sentence("must not be empty")
        elif len(text) > TEXT_LIMIT:
            problems["text"] = Sentence("must have at most {count} characters", count=TEXT_LIMIT)
        page_told = await hub.database.read(widgets.load_told, who.visitor_id) if who.is_known else {}
        held = page_told.get(Asked.EMAIL)
        form = chat.read_form(told.get("form"), problems) or {}
        answers, mailbox = Answers(), ""
        try:
            fields = widget.fields if widget.form_enabled else ()
            demanded = () if held else (Asked.EMAIL,)
            answers = check_answers(fields, form, known={Asked(name) for name in page_told}, demanded=demanded)
            mailbox = _parse_mailbox(answers.email or held or "")
            answers = replace(answers, name=answers.name or page_told.get(Asked.NAME))
        except InvalidInput as error:
            problems |= error.fields
        if problems:
            raise InvalidInput("The message cannot be taken.", fields=problems)
        hub.chat_sockets.check_offline(who.visitor_id, address_of(request), mailbox)
        language = told.get("language")
        language = language if isinstance(language, str) and _LANGUAGE.fullmatch(language) else None
        arrival = _arrival(hub, channel.account.id, account, who, str(client_id), text, mailbox, answers, language)
        await hub.intake.accept(account.account.id, [arrival])
        return allow(JSONResponse({"address": mailbox}, 201), request)
    except Exception as error:
        return allow(error_answer(request, error), request)


async def _read_body(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _BODY_LIMIT_BYTES:
            raise BadRequest("The message is too large.")
    try:
        told = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise BadRequest("The message is not JSON.") from error
    if not isinstance(told, dict):
        raise BadRequest("The message is not an object.")
    return told


def _parse_mailbox(address: str) -> str:
    try:
        return customers.parse_address(ContactKind.EMAIL, address, None)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={"form.email": Sentence("must be an e-mail address")}) from error


def _arrival(
    hub: HubLike,
    chat_id: str,
    account: EmailChannel,
    who: Who,
    client_id: str,
    text: str,
    mailbox: str,
    answers: Answers,
    language: str | None,
) -> MessageArrival:
    """As a mail of the visitor's would have come."""
    told = [answer_line(label, answer) for label, answer in answers.told]
    if answers.phone:
        told.append(answers.phone)
    whole = "\n".join([*told, "", text]) if told else text
    subject = (answers.topic or " ".join(text.split()))[:_SUBJECT_LIMIT]
    sender = Mailbox(mailbox, answers.name or "")
    now = hub.database.clock()
    return MessageArrival(
        provider_id=f"chat {chat_id} {who.visitor_id}:{client_id}",
        contact_kind=ContactKind.EMAIL,
        sender=mailbox,
        text=whole,
        raw=json.dumps({"type": "offline_form", "chat": chat_id, "client_id": client_id}),
        received_at=now,
        sender_name=answers.name,
        language=language,
        is_claimed=True,
        mail=IncomingMail(
            subject=subject,
            senders=(sender,),
            to=(Mailbox(account.account.settings.get("address", ""), ""),),
            sent_at=now,
            spans=(Span(SpanKind.WRITTEN, whole),),
            size_bytes=len(whole.encode()),
        ),
    )
