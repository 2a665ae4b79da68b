"""What stands behind a chat's window: how it is set up, who is signed in on its pages, and what visitors filled in.

    save_widget                      the administrator's page; audited
    roll_secret, drop_secret         the key by which the shop's own server signs who is signed in there; audited
    exchange                         a signed word → the visitor of that person, the same on every device
    note_form                        what a form asked and was answered, as a line of the conversation
    load_presence                    whether the chat is open, and whether anybody is there

A signed word is good for one browser: the first that brings it. A person is one visitor for each channel, whose token
(channels.chat) is signed with the channel's secret, so that a new secret ends them all.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from hub.agents import audit
from hub.agents.viewer import Viewer
from hub.channels import chat_identity
from hub.channels.chat import new_visitor_id
from hub.channels.chat_identity import Identity, IdentityRefused
from hub.channels.registry import check_settings
from hub.domain.sentences import Sentence
from hub.domain.states import AgentState
from hub.domain.values import ChannelKind, ContactKind, Happening
from hub.domain.widget import Widget, answer_line, check_widget, read_widget, write_widget
from hub.errors import Conflict, InvalidInput, NotFound
from hub.routing import calendars
from hub.routing.calendar import is_open, next_opening
from hub.store import tables
from hub.store.database import Tx
from hub.store.vault import Vault
from hub.timeline import channels, conversations, customers

_ch, _q = tables.channel.c, tables.queue.c
_id, _use = tables.chat_identity.c, tables.chat_identity_use.c

SECRET = "identity_secret"  # noqa: S105 (a name)
# Of the channel's settings those that this page saves, too.
LOOK = ("title", "greeting", "colour")
# Used words that are over, forgotten with each new one.
_SWEEP_STEP = 50


@dataclass(frozen=True, slots=True)
class WidgetSetup:
    """As an administrator sees it. `look`: title, greeting and colour, "" where there is none."""

    channel_id: str
    name: str
    look: Mapping[str, str]
    allowed_origins: str
    widget: Widget
    has_secret: bool
    version: int


def load_widget(tx: Tx, vault: Vault, channel_id: str) -> WidgetSetup:
    """NotFound if there is no such chat."""
    return _setup(_load_chat(tx, channel_id), vault)


def save_widget(
    tx: Tx,
    vault: Vault,
    channel_id: str,
    widget: Widget,
    look: Mapping[str, str],
    *,
    expected_version: int,
    actor: Viewer | None = None,
) -> WidgetSetup:
    """Conflict `version_conflict` if the channel was changed meanwhile; InvalidInput naming every fault."""
    row = _load_chat(tx, channel_id, lock=True)
    if row.version != expected_version:
        raise Conflict("somebody changed this channel meanwhile", code="version_conflict")
    problems = check_widget(widget)
    if widget.offline.enabled and "offline.channel_id" not in problems and not _is_mail(tx, widget.offline.channel_id):
        problems["offline.channel_id"] = Sentence("is not a mail account")
    others = {name: words for name, words in row.settings.items() if name not in LOOK}
    settings = others | {name: look[name].strip() for name in LOOK if look.get(name, "").strip()}
    secrets = vault.unseal(row.secrets)
    try:
        check_settings(ChannelKind.CHAT, settings, secrets)
    except InvalidInput as error:
        problems |= error.fields
    if problems:
        raise InvalidInput("the widget cannot be set up like this", fields=problems)
    kept = write_widget(widget)
    tx.execute(
        update(tables.channel)
        .where(_ch.id == channel_id)
        .values(settings=settings, widget=kept, version=_ch.version + 1)
    )
    audit.note_change(
        tx,
        actor,
        "channel.changed",
        "channel",
        channel_id,
        _told(write_widget(read_widget(row.widget)), row.settings),
        _told(kept, settings),
        name=row.name,
    )
    channels.tell(tx, channel_id)
    return load_widget(tx, vault, channel_id)


def _told(kept: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """What of it the audit log tells. What a form asks is too long for a line."""
    look = {f"settings.{name}": settings.get(name, "") for name in LOOK}
    plain = {f"widget.{name}": kept[name] for name in ("position", "scheme", "launcher", "form_enabled", "intro")}
    asked = {"widget.fields": [f"{each['name']}{'*' if each['required'] else ''}" for each in kept["fields"]]}
    return look | plain | asked | {f"widget.offline_{name}": value for name, value in kept["offline"].items()}


def roll_secret(tx: Tx, vault: Vault, channel_id: str, *, actor: Viewer | None = None) -> str:
    """A new secret, told here and never again. What the one before has signed is good no more, nor who came in by it."""
    secret = chat_identity.new_secret()
    _keep_secret(tx, vault, channel_id, secret, actor)
    return secret


def drop_secret(tx: Tx, vault: Vault, channel_id: str, *, actor: Viewer | None = None) -> None:
    """Nobody is known by the page's word any more."""
    _keep_secret(tx, vault, channel_id, None, actor)


def _keep_secret(tx: Tx, vault: Vault, channel_id: str, secret: str | None, actor: Viewer | None) -> None:
    row = _load_chat(tx, channel_id, lock=True)
    had = vault.unseal(row.secrets)
    kept = {name: value for name, value in had.items() if name != SECRET} | ({SECRET: secret} if secret else {})
    values = {"secrets": vault.seal(kept), "version": _ch.version + 1}
    tx.execute(update(tables.channel).where(_ch.id == channel_id).values(**values))
    name = f"secrets.{SECRET}"
    before, after = {name: had.get(SECRET)}, {name: secret}
    audit.note_change(tx, actor, "channel.changed", "channel", channel_id, before, after, name=row.name, secret={name})
    channels.tell(tx, channel_id)


def _load_chat(tx: Tx, channel_id: str, *, lock: bool = False) -> Row[Any]:
    query = select(tables.channel).where(_ch.id == channel_id, _ch.kind == ChannelKind.CHAT.value)
    row = tx.first(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("there is no such chat")
    return row


def _setup(row: Row[Any], vault: Vault) -> WidgetSetup:
    return WidgetSetup(
        channel_id=row.id,
        name=row.name,
        look={name: row.settings.get(name, "") for name in LOOK},
        allowed_origins=row.settings.get("allowed_origins", ""),
        widget=read_widget(row.widget),
        has_secret=SECRET in vault.unseal(row.secrets),
        version=row.version,
    )


def _is_mail(tx: Tx, channel_id: str) -> bool:
    wanted = select(_ch.id).where(_ch.id == channel_id, _ch.kind == ChannelKind.EMAIL.value)
    return tx.first(wanted) is not None


# --- who is signed in on the page -----------------------------------------------------------------------------------------


def known_key(key: bytes, secret: str, channel_id: str) -> bytes:
    """By which tokens of people who are signed in are signed: of this channel, and as long as its secret stands."""
    return hmac.digest(key, f"{channel_id}\0{secret}".encode(), "sha256")


def exchange(tx: Tx, channel_id: str, identity: Identity, digest: str, browser: str) -> str:
    """The visitor who is this person here. `digest`: of the signed word; `browser`: the anonymous visitor that brought it.
    IdentityRefused `used` if another browser did before."""
    use = {"digest": digest, "browser": browser, "expires_at": identity.expires_at}
    if not tx.insert_new(tables.chat_identity_use, [use])[0]:
        if tx.scalar(select(_use.browser).where(_use.digest == digest)) != browser:
            raise IdentityRefused("used")
    else:
        over = select(_use.digest).where(_use.expires_at < tx.now).limit(_SWEEP_STEP)
        tx.execute(delete(tables.chat_identity_use).where(_use.digest.in_(over)))
    claims = _read_claims(tx, channel_id, identity)
    told = {kind.value: address for kind, address in claims} | ({"name": identity.name} if identity.name else {})
    row = {
        "channel_id": channel_id,
        "subject": identity.subject,
        "visitor_id": new_visitor_id(),
        "told": told,
        "created_at": tx.now,
    }
    is_new = tx.insert_new(tables.chat_identity, [row])[0]
    mine = (_id.channel_id == channel_id, _id.subject == identity.subject)
    kept = tx.execute(select(_id.visitor_id, _id.told).where(*mine)).one()
    # Each page says it again: only what is new is work.
    if told and (is_new or kept.told != told):
        tx.execute(update(tables.chat_identity).where(*mine).values(told=told))
        key = (ContactKind.CHAT.value, kept.visitor_id)
        reach = customers.ensure_reaches(tx, {key: {"name": identity.name}})[key]
        customers.identify(tx, reach.contact_point_id, name=identity.name, claims=claims)
    return str(kept.visitor_id)


def _read_claims(tx: Tx, channel_id: str, identity: Identity) -> list[tuple[ContactKind, str]]:
    """What cannot be an address is left out: the shop's form was its affair."""
    region = tx.scalar(select(_ch.default_region).where(_ch.id == channel_id))
    claims: list[tuple[ContactKind, str]] = []
    for kind, text in ((ContactKind.PHONE, identity.phone), (ContactKind.EMAIL, identity.email)):
        if text:
            try:
                claims.append((kind, customers.parse_address(kind, text, region)))
            except InvalidInput:
                continue
    return claims


def load_told(tx: Tx, visitor_id: str) -> dict[str, str]:
    """What the page said of whoever is signed in there, by the names that forms ask (domain.widget.Asked). Never what stands
    on their card: an address that they claimed may have joined it with somebody else's."""
    told = tx.scalar(select(_id.told).where(_id.visitor_id == visitor_id))
    return {str(name): str(value) for name, value in (told or {}).items() if name in ("name", "email", "phone")}


# --- forms ----------------------------------------------------------------------------------------------------------------


def note_form(tx: Tx, conversation_id: int, client_id: str, told: Sequence[tuple[str, str]]) -> None:
    """A line of what was answered; once, however often the message that brought it is sent again."""
    tx.lock_conversations([conversation_id])
    e = tables.entry.c
    lines = tx.rows(select(e.data).where(e.conversation_id == conversation_id, e.happening == Happening.FORM.value))
    if any((row.data or {}).get("client_id") == client_id for row in lines):
        return
    answers = "\n".join(answer_line(label, answer) for label, answer in told)
    view = conversations.load_conversation(tx, conversation_id)
    data = {"answers": answers, "client_id": client_id}
    conversations.add_happening(tx, view, Happening.FORM, conversations.SYSTEM, data)


# --- whether anybody is there ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Presence:
    """Of a chat's queue. `opens_at`: when it opens next; None while it is open, or if it never does."""

    is_open: bool
    opens_at: datetime | None
    is_somebody_there: bool


def load_presence(tx: Tx, channel_id: str) -> Presence:
    a, m = tables.agent.c, tables.queue_member.c
    row = tx.first(
        select(_q.id, _q.calendar_id).join(tables.channel, _ch.queue_id == _q.id).where(_ch.id == channel_id)
    )
    if row is None:
        return Presence(True, None, False)
    there = select(a.user_id).join(tables.queue_member, m.user_id == a.user_id)
    there = there.where(m.queue_id == row.id, a.connected, a.state == AgentState.AVAILABLE.value).limit(1)
    calendar = calendars.load_current(tx, [row.calendar_id]).get(row.calendar_id) if row.calendar_id else None
    open_now = calendar is None or is_open(calendar, tx.now)
    opens_at = None if open_now or calendar is None else next_opening(calendar, tx.now)
    return Presence(open_now, opens_at, tx.first(there) is not None)
