"""Mentions: a note names colleagues, teams or the queue, and they are told, wherever they are.

Whoever is named may look: who could not see the conversation takes part in it from then on (timeline.participants), until
they leave it or are taken out. The note keeps who was named in its `data`, as `user:3` → the name that stands in the text
behind the @, so that the console can mark it and a renamed colleague is still the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from hub.agents import alerts
from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.domain.views import ConversationView, EntryView
from hub.errors import Forbidden, InvalidInput
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from hub.timeline.participants import write_ids

_u, _m, _q = tables.user_account.c, tables.queue_member.c, tables.queue.c
_t, _tm = tables.team.c, tables.team_member.c


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Who is named."""

    kind: Literal["user", "team", "queue"]
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Named:
    """`words`: ref → name, for the note's data. `people`: whom to tell, each with the name they were called by if that is not
    their own. `newcomers`: those of them who did not see the conversation until now."""

    words: dict[str, str | int | None]
    people: dict[int, str | None]
    newcomers: frozenset[int]


def read_mentions(tx: Tx, viewer: Viewer, view: ConversationView, refs: Collection[Ref]) -> Named:
    """InvalidInput naming `mentions` if there is no such colleague, team or queue. Oneself is named and not told."""
    words: dict[str, str | int | None] = {}
    people: dict[int, str | None] = {}
    for ref in sorted(set(refs)):
        name, members = _find(tx, ref)
        words[str(ref)] = name
        for user_id in members:
            # Who is named in person is not told of the team's mention as well.
            if people.get(user_id, name) is not None:
                people[user_id] = None if ref.kind == "user" else name
    people.pop(viewer.user_id, None)
    return Named(words, people, frozenset(people) - _seers(tx, view, people))


def _find(tx: Tx, ref: Ref) -> tuple[str, list[int]]:
    if ref.kind == "user":
        row = tx.first(select(_u.name, _u.active).where(_u.id == ref.id))
        members = [ref.id] if row is not None and row.active else []
    elif ref.kind == "team":
        row = tx.first(select(_t.name).where(_t.id == ref.id, _t.removed_at.is_(None)))
        of_team = select(_u.id).join(tables.team_member, _tm.user_id == _u.id)
        of_team = of_team.where(_tm.team_id == ref.id, _tm.until.is_(None), _u.active)
        members = [found.id for found in tx.rows(of_team)]
    else:
        row = tx.first(select(_q.name).where(_q.id == ref.id))
        of_queue = select(_u.id).join(tables.queue_member, _m.user_id == _u.id)
        members = [found.id for found in tx.rows(of_queue.where(_m.queue_id == ref.id, _u.active))]
    if row is None:
        raise InvalidInput("nobody of that kind", fields={"mentions": _unknown(ref)})
    return row.name, members


def _unknown(ref: Ref) -> Sentence:
    if ref.kind == "user":
        return Sentence("there is no user {id}", id=ref.id)
    if ref.kind == "team":
        return Sentence("there is no team {id}", id=ref.id)
    return Sentence("there is no queue {id}", id=ref.id)


def _seers(tx: Tx, view: ConversationView, user_ids: Iterable[int]) -> set[int]:
    """Those of these who see the conversation as things are."""
    ids = set(user_ids)
    heads = select(_u.id).where(_u.id.in_(ids), _u.role != Role.AGENT.value)
    members = select(_m.user_id.label("id")).where(_m.user_id.in_(ids), _m.queue_id == view.queue_id)
    seers = {row.id for query in (heads, members) for row in tx.rows(query)}
    return seers | (ids & {view.assignee_id, *view.participant_ids})


def tell_mentions(tx: Tx, viewer: Viewer, entry: EntryView, view: ConversationView, named: Named) -> None:
    """One alert for each, however often they are named."""
    for user_id, called in sorted(named.people.items()):
        alerts.raise_alert(
            tx,
            [user_id],
            level="notify",
            reason=alerts.MENTION,
            conversation_id=view.id,
            data={"by": viewer.name, "as": called, "customer": view.customer_name, "customer_id": view.customer_id},
            entry_id=entry.id,
        )


def let_see(tx: Tx, before: ConversationView, user_ids: Collection[int]) -> ConversationView:
    """These see the conversation from now on, if they did not. The caller holds its lock."""
    newcomers = set(user_ids) - _seers(tx, before, user_ids)
    if not newcomers:
        return before
    stored = write_ids({*before.participant_ids, *newcomers})
    view = conversations.change(tx, before.id, participants=stored)
    conversations.emit_conversation(tx, view)
    return view


def leave(tx: Tx, viewer: Viewer, conversation_id: int, user_id: int) -> ConversationView:
    """Oneself, or (who holds it, and supervisors) somebody else: they see it no more, but for what else lets them."""
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    if user_id not in before.participant_ids:
        return before
    if user_id != viewer.user_id and before.assignee_id != viewer.user_id and not viewer.may(Permission.ACT_ON_BOARD):
        raise Forbidden("only whoever holds it, or a supervisor, may take a colleague out")
    stored = write_ids(set(before.participant_ids) - {user_id})
    view = conversations.change(tx, conversation_id, participants=stored)
    conversations.emit_conversation(tx, view, before)
    return view
