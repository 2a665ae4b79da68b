"""Why work goes where it goes, a supervisor's hand on its turn, and what may interrupt what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.states import OfferOutcome
from hub.domain.values import Role
from hub.domain.views import ConversationView
from hub.errors import NotFound
from hub.routing import dispatcher, engine, interruption
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import conversations
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import (
    ChangeRouting,
    Explanation,
    InterruptionRules,
    Interruptions,
    SetInterruptions,
    WhyAgent,
    WhyCandidate,
    WhyConversation,
    WhyFiltered,
    WhyOffer,
)

_o, _u = tables.offer.c, tables.user_account.c
# A conversation that was offered more often than this is looked into in another way.
_OFFERS_TOLD = 50


@endpoint(
    "PATCH", "/conversations/{conversation_id}/routing", access=Permission.ACT_ON_BOARD, summary="Change its turn"
)
async def change_routing(context: Context, conversation_id: int, body: ChangeRouting) -> ConversationView:
    """Its priority, and who shall have it while it waits. 409 `resolved`; 409 `not_waiting` for a pin on what somebody
    holds."""
    return await context.hub.database.transaction(
        dispatcher.change_turn,
        context.viewer,
        conversation_id,
        priority=body.priority,
        pinned_agent_id=body.pinned_agent_id,
        changes_pin="pinned_agent_id" in body.model_fields_set,
    )


@endpoint("GET", "/routing/interruptions", access=Permission.MANAGE_ROUTING, summary="What may interrupt what")
async def get_interruptions(context: Context) -> Interruptions:
    return _interruptions(await context.hub.database.read(interruption.load_rules))


@endpoint("PUT", "/routing/interruptions", access=Permission.MANAGE_ROUTING, summary="Say what may interrupt what")
async def set_interruptions(context: Context, body: SetInterruptions) -> Interruptions:
    """Work that waits already is looked at anew at once. A kind that interrupts itself, and a circle, are refused."""
    rules = await context.hub.database.transaction(
        interruption.set_rules, body.interrupts, body.exclusive, actor=context.viewer
    )
    return _interruptions(rules)


def _interruptions(rules: engine.Rules) -> Interruptions:
    told, usual = _rules(rules), _rules(interruption.USUAL)
    return Interruptions(interrupts=told.interrupts, exclusive=told.exclusive, usual=usual)


def _rules(rules: engine.Rules) -> InterruptionRules:
    return InterruptionRules(
        interrupts={kind: sorted(others) for kind, others in sorted(rules.interrupts.items())},
        exclusive=sorted(rules.exclusive),
    )


def _load_why(tx: Tx, viewer: Viewer, conversation_id: int) -> WhyConversation:
    view = conversations.access_conversation(tx, viewer, conversation_id)
    rows = tx.rows(
        select(tables.offer, _u.name)
        .join(tables.user_account, _u.id == _o.agent_id)
        .where(_o.conversation_id == view.id)
        .order_by(_o.id.desc())
        .limit(_OFFERS_TOLD)
    )
    explained = dispatcher.explain_now(tx, view.id)
    now = explained.record() if explained is not None else None
    names = _load_names(tx, [record for record in (now, *(row.explanation for row in rows)) if record])
    return WhyConversation(
        conversation_id=view.id,
        now=_explanation(now, names, viewer) if now else None,
        offers=[
            WhyOffer(
                offer_id=row.id,
                agent_id=row.agent_id,
                agent_name=row.name,
                offered_at=row.offered_at,
                ended_at=row.ended_at,
                outcome=OfferOutcome(row.outcome) if row.outcome else None,
                explanation=_explanation(row.explanation, names, viewer) if row.explanation else None,
            )
            for row in rows
        ],
    )


@endpoint("GET", "/conversations/{conversation_id}/why", access=Access.AGENT, summary="Why it went where it went")
async def get_conversation_why(context: Context, conversation_id: int) -> WhyConversation:
    """What would be decided now, if it waits, and why each offer was made."""
    return await context.hub.database.read(_load_why, context.viewer, conversation_id)


def _load_offer_why(tx: Tx, viewer: Viewer, offer_id: int) -> Explanation:
    row = tx.first(
        select(_o.explanation, _o.conversation_id, _o.ended_at).where(_o.id == offer_id, _o.agent_id == viewer.user_id)
    )
    if row is None or not row.explanation:
        raise NotFound("there is no such offer")
    if row.ended_at is not None:
        # What rings is told by the offer itself; of what is past, whoever may see the conversation is told.
        conversations.access_conversation(tx, viewer, row.conversation_id)
    return _explanation(row.explanation, _load_names(tx, [row.explanation]), viewer)


@endpoint("GET", "/offers/{offer_id}/why", access=Access.AGENT, summary="Why me?")
async def get_offer_why(context: Context, offer_id: int) -> Explanation:
    """Why an offer of your own was made to you."""
    return await context.hub.database.read(_load_offer_why, context.viewer, offer_id)


def _load_names(tx: Tx, records: Iterable[dict[str, Any]]) -> dict[int, str]:
    ids: set[int] = set()
    for record in records:
        ids.update(each["agent_id"] for each in record["candidates"])
        for word in record["filtered"].values():
            ids.update(word)
    return {row.id: row.name for row in tx.rows(select(_u.id, _u.name).where(_u.id.in_(ids)))} if ids else {}


# What is seen in Team anyway: these tell everybody who they were.
_OPEN_WORDS = frozenset({"offline", "busy", "away", "not_responding", "disconnected", "ringing", "full", "taken"})


def _explanation(record: dict[str, Any], names: dict[int, str], viewer: Viewer) -> Explanation:
    """The engine's record (routing.engine.Explanation.record) with names, as far as they are for the viewer."""

    def is_told(word: str, agent_id: int) -> bool:
        return word in _OPEN_WORDS or agent_id == viewer.user_id or viewer.covers(Role.SUPERVISOR)

    told = {name: record[name] for name in _AS_RECORDED}
    return Explanation(
        **told,
        chosen_agent_id=record["agent_id"],
        candidates=[WhyCandidate(**each, name=names.get(each["agent_id"], "")) for each in record["candidates"]],
        filtered=[
            WhyFiltered(
                reason=word,
                count=len(ids),
                agents=[
                    WhyAgent(agent_id=agent_id, name=names.get(agent_id, ""))
                    for agent_id in ids
                    if is_told(word, agent_id)
                ],
            )
            for word, ids in record["filtered"].items()
        ],
    )


_AS_RECORDED = (
    *("rule", "rule_version", "waited_s", "score_s", "is_overdue", "is_pinned", "is_unservable"),
    *("queue_ids", "candidate_count", "insisted", "relaxed"),
)
