"""What a conversation is about, and to whom that directs it.

A topic may name the department (a queue) and the person who handle such matters. Work that waits goes there when it gets
the topic, at its original age; work that somebody holds stays with them unless they pass it on. Tags only say something.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.agents import roster
from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.sentences import Sentence
from hub.domain.states import ConversationStatus
from hub.domain.values import AuthorKind, Happening
from hub.domain.views import Author, ConversationView, TopicView
from hub.errors import Forbidden, InvalidInput
from hub.routing import dispatcher
from hub.store.database import Tx
from hub.timeline import conversations
from hub.timeline.topics import load_topics

# Of one conversation.
MOST_TAGS = 20


def set_topic(tx: Tx, viewer: Viewer, conversation_id: int, topic_id: int | None, *, direct: bool) -> ConversationView:
    """What it is about from now on (None: nothing in particular). `direct`: work that is held is passed on, too. InvalidInput
    naming `topic_id` for one that is not there or is switched off; Forbidden for whoever may not."""
    tx.lock_routing()
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    topic = _find_topic(tx, before, topic_id)
    if direct and before.assignee_id not in (None, viewer.user_id) and not viewer.may(Permission.ACT_ON_BOARD):
        raise Forbidden("this conversation is assigned to somebody else")
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    view = before
    if topic_id != before.topic_id:
        _check_may_leave(tx, viewer, before, topic)
        known = {each.id: each.name for each in load_topics(tx, [before.topic_id])} if before.topic_id else {}
        data: dict[str, str | int | None] = {
            "topic_id": topic_id,
            "topic": topic.name if topic is not None else None,
            "before_id": before.topic_id,
            "before": known.get(before.topic_id) if before.topic_id is not None else None,
        }
        _, view = conversations.add_happening(tx, before, Happening.TOPIC, author, data, topic_id=topic_id)
    elif not direct:
        return before
    if topic is None or view.status is ConversationStatus.RESOLVED or (view.assignee_id is not None and not direct):
        return view
    return direct_to_topic(tx, view, topic, author)


def direct_to_topic(tx: Tx, view: ConversationView, topic: TopicView, author: Author) -> ConversationView:
    """Passes open work on to the department and person of its topic. The caller holds ROUTING and its lock."""
    owner_id = roster.find_worth_waiting_for(tx, topic.owner_id, view.channel_kind)
    return dispatcher.direct(tx, view, author, queue_id=topic.queue_id, agent_id=owner_id)


def _check_may_leave(tx: Tx, viewer: Viewer, before: ConversationView, topic: TopicView | None) -> None:
    """A complaint stays in sight until it is solved: only a supervisor may say that it is none. What somebody else holds
    is for them to name."""
    if viewer.may(Permission.ACT_ON_BOARD):
        return
    if before.assignee_id not in (None, viewer.user_id):
        raise Forbidden("this conversation is assigned to somebody else")
    is_complaint = before.topic_id is not None and any(each.is_complaint for each in load_topics(tx, [before.topic_id]))
    if is_complaint and (topic is None or not topic.is_complaint):
        raise Forbidden("this is a complaint; only a supervisor may say that it is none", code="is_complaint")


def _find_topic(tx: Tx, before: ConversationView, topic_id: int | None) -> TopicView | None:
    if topic_id is None:
        return None
    found = load_topics(tx, [topic_id])
    if not found:
        raise InvalidInput("no such topic", fields={"topic_id": Sentence("there is no such topic")})
    if not found[0].active and topic_id != before.topic_id:
        raise InvalidInput("this topic is switched off", fields={"topic_id": Sentence("is switched off")})
    return found[0]


def set_tags(
    tx: Tx, viewer: Viewer, conversation_id: int, tags: Sequence[str], *, seen: Sequence[str] | None = None
) -> ConversationView:
    """Replaces all; each once, in the order given. With `seen`, what the one who asks had before their eyes, those that
    are not in both are added or taken away, and what others did meanwhile stays. InvalidInput names a tag that is none."""
    before = conversations.access_conversation(tx, viewer, conversation_id, lock=True)
    wanted = _as_tags(tags)
    unfit = [number for number, tag in enumerate(wanted) if not tag.isprintable() or not tag]
    if unfit:
        raise InvalidInput(
            "not a tag", fields={f"tags.{number}": Sentence("must be visible characters") for number in unfit}
        )
    if seen is not None:
        shown = _as_tags(seen)
        kept = tuple(tag for tag in before.tags if tag in wanted or tag not in shown)
        wanted = (*kept, *(tag for tag in wanted if tag not in shown and tag not in kept))
        if len(wanted) > MOST_TAGS:
            raise InvalidInput(
                "too many tags", fields={"tags": Sentence("a conversation has {count} at most", count=MOST_TAGS)}
            )
    if wanted == before.tags:
        return before
    data: dict[str, str | int | None] = {
        "added": ", ".join(tag for tag in wanted if tag not in before.tags) or None,
        "removed": ", ".join(tag for tag in before.tags if tag not in wanted) or None,
    }
    author = Author(AuthorKind.AGENT, viewer.name, viewer.user_id)
    _, view = conversations.add_happening(tx, before, Happening.TAGGED, author, data, tags=list(wanted) or None)
    return view


def _as_tags(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(tag.split()) for tag in tags))
