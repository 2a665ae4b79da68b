"""One thing done to many conversations, each by itself: what became of each is told, and one that cannot be done keeps no
other from being done.

Each conversation is a transaction of its own, so nobody else waits for all of them; the console asks in groups and shows how
far it is. Done twice is the same as done once: what is resolved stays resolved, a tag that is there is not added again.
"""

from __future__ import annotations

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.views import ConversationView
from hub.errors import CallerError, InvalidInput
from hub.routing import directing, dispatcher
from hub.store.database import Tx
from hub.web.api import Context, demand, endpoint, error_body
from hub.web.schemas import BulkAct, BulkAnswer, BulkItem


def _check(viewer: Viewer, body: BulkAct) -> None:
    """InvalidInput naming what the action lacks; Forbidden `no_permission` for whoever may not do it to one."""
    faults: dict[str, str] = {}
    if body.action in ("tag", "untag") and not body.tags:
        faults["tags"] = Sentence("name at least one")
    if body.action == "priority" and body.priority is None:
        faults["priority"] = Sentence("is required")
    if body.action == "park" and body.until is None:
        faults["until"] = Sentence("is required")
    if body.action == "transfer" and (body.agent_id is None) == (body.queue_id is None):
        faults["agent_id"] = Sentence("give exactly one of agent_id and queue_id")
    if faults:
        raise InvalidInput("; ".join(faults.values()), fields=faults)
    demand(viewer, Permission.ACT_ON_BOARD if body.action == "priority" else Permission.TAKE_PART)


def _act(tx: Tx, viewer: Viewer, conversation_id: int, body: BulkAct) -> ConversationView:
    match body.action:
        case "resolve":
            return dispatcher.resolve(tx, viewer, conversation_id)
        case "reopen":
            return dispatcher.reopen(tx, viewer, conversation_id)
        case "release":
            return dispatcher.release(tx, viewer, conversation_id)
        case "tag":
            return directing.set_tags(tx, viewer, conversation_id, body.tags, seen=())
        case "untag":
            return directing.set_tags(tx, viewer, conversation_id, (), seen=body.tags)
        case "topic":
            return directing.set_topic(tx, viewer, conversation_id, body.topic_id, direct=False)
        case "priority":
            return dispatcher.change_turn(
                tx, viewer, conversation_id, priority=body.priority, pinned_agent_id=None, changes_pin=False
            )
        case "transfer":
            return dispatcher.transfer(
                tx, viewer, conversation_id, agent_id=body.agent_id, queue_id=body.queue_id, note=None
            )
        case "park":
            assert body.until is not None
            return dispatcher.park(tx, viewer, conversation_id, body.until)
        case "unpark":
            return dispatcher.unpark(tx, viewer, conversation_id)


@endpoint("POST", "/bulk/conversations", access=Permission.BULK, summary="Do one thing to many")
async def act_on_many(context: Context, body: BulkAct) -> BulkAnswer:
    """50 at most at once. Each is done by itself, by the rules of doing it alone; `items`, in your order, say what became of
    each: `conversation`, or `code` and `message`."""
    _check(context.viewer, body)
    items = []
    for conversation_id in dict.fromkeys(body.ids):
        try:
            view = await context.hub.database.transaction(_act, context.viewer, conversation_id, body)
        except CallerError as error:
            items.append(
                BulkItem(
                    id=conversation_id,
                    conversation=None,
                    code=error.code,
                    message=error_body(error, context.language)["message"],
                )
            )
        else:
            items.append(BulkItem(id=conversation_id, conversation=view))
    return BulkAnswer(items=items)
