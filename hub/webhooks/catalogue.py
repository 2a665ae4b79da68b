"""What webhooks can tell: the events, what each says, and how they are read from the hub's stream.

    event of the stream → read → Happened …    what it tells, by a key under which it is told once

The stream says how things are now, webhooks what came about. So one event may tell several things (a message in a new
conversation tells of both) and one thing may stand in many events (every line of a conversation shows who has it): each has
a `key` that is the same whenever it is told again, and an instant `since` when it came about. Whoever keeps deliveries
tells a key once, and nothing that came about before the endpoint was there.

The body of a delivery is {"type", "timestamp", "version", "data"}; the views in `data` are those of the API. VERSION rises
when something in them is taken away or means something else; new fields and new events come without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

VERSION = 1
# The type of what is sent to try an endpoint, with no data. Nobody asks for it.
TEST = "webhook.test"

# A view as JSON has it.
View = Mapping[str, Any]


class Told(StrEnum):
    """The events an endpoint may ask for."""

    CONVERSATION_OPENED = "conversation.opened"
    CONVERSATION_ASSIGNED = "conversation.assigned"
    CONVERSATION_TRANSFERRED = "conversation.transferred"
    CONVERSATION_RESOLVED = "conversation.resolved"
    CONVERSATION_REOPENED = "conversation.reopened"
    CONVERSATION_CHANGED = "conversation.changed"
    MESSAGE_RECEIVED = "message.received"
    MESSAGE_SENT = "message.sent"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_READ = "message.read"
    MESSAGE_FAILED = "message.failed"
    NOTE_ADDED = "note.added"
    ESCALATION_FIRED = "escalation.fired"
    CALL_STARTED = "call.started"
    CALL_ANSWERED = "call.answered"
    CALL_ENDED = "call.ended"
    CALL_COMPLETED = "call.completed"
    RECORDING_READY = "recording.ready"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_CHANGED = "customer.changed"
    CUSTOMER_MERGED = "customer.merged"
    SURVEY_ANSWERED = "survey.answered"
    TASK_CREATED = "task.created"
    TASK_DUE = "task.due"
    TASK_ENDED = "task.ended"
    AGENT_STATE_CHANGED = "agent.state_changed"
    CHANNEL_HEALTH_CHANGED = "channel.health_changed"


@dataclass(frozen=True, slots=True)
class About:
    """`words`: when it is told. `data`: field → the API's name of what stands there."""

    words: str
    data: Mapping[str, str]


_CONVERSATION = {"conversation": "ConversationView"}
_LINE = {"entry": "EntryView", **_CONVERSATION}
_MESSAGE = {"message": "EntryView", **_CONVERSATION}
_CALL = {"call": "CallView"}

CATALOGUE: Mapping[Told, About] = {
    Told.CONVERSATION_OPENED: About("A conversation began, by whomever.", _CONVERSATION),
    Told.CONVERSATION_ASSIGNED: About("An agent has it now, however they came by it.", _CONVERSATION),
    Told.CONVERSATION_TRANSFERRED: About("It was passed on to a queue or a colleague.", _LINE),
    Told.CONVERSATION_RESOLVED: About("It is solved.", _LINE),
    Told.CONVERSATION_REOPENED: About("It was solved, and is open again.", _LINE),
    Told.CONVERSATION_CHANGED: About(
        "Anything else about it changed: topic, tags, priority, who waits, if a chat's visitor is there. May come often.",
        _CONVERSATION,
    ),
    Told.MESSAGE_RECEIVED: About("A customer wrote. Files may still be on their way (state `fetching`).", _MESSAGE),
    Told.MESSAGE_SENT: About("The provider has a message of ours; once for each.", _MESSAGE),
    Told.MESSAGE_DELIVERED: About("It is at the customer's; only where the channel tells. Once for each.", _MESSAGE),
    Told.MESSAGE_READ: About("The customer has seen it; only where the channel tells. Once for each.", _MESSAGE),
    Told.MESSAGE_FAILED: About("It will not arrive; `delivery.reason` says why. Each time it fails.", _MESSAGE),
    Told.NOTE_ADDED: About(
        "A colleague wrote a note, which the customer does not see.", {"note": "EntryView", **_CONVERSATION}
    ),
    Told.ESCALATION_FIRED: About("A step of its escalation policy fired; `entry.data` names it.", _LINE),
    Told.CALL_STARTED: About("A customer calls, or is called.", _CALL),
    Told.CALL_ANSWERED: About("The first agent answered it.", _CALL),
    Told.CALL_ENDED: About("Nobody is on the line any more; an agent may still write it up.", _CALL),
    Told.CALL_COMPLETED: About("The wrap-up is over, too: disposition and note stand in its segments.", _CALL),
    Told.RECORDING_READY: About("A recording of it can be played.", {"recording": "RecordingView", **_CALL}),
    Told.CUSTOMER_CREATED: About(
        "There is a new customer. Not told of those that an import brings.", {"customer": "CustomerView"}
    ),
    Told.CUSTOMER_CHANGED: About("Something on their card changed.", {"customer": "CustomerView"}),
    Told.CUSTOMER_MERGED: About(
        "Two customers are one: `merged_id` is no more, all that was theirs is `customer`'s.",
        {"customer": "CustomerView", "merged_id": "integer"},
    ),
    Told.SURVEY_ANSWERED: About("A customer gave a score, or another in its place.", {"survey": "SurveyView"}),
    Told.TASK_CREATED: About("Somebody is to do something at a time: a follow-up, a call back.", {"task": "TaskView"}),
    Told.TASK_DUE: About(
        "Its time has come, and whoever it is for was told; again if it is put off.", {"task": "TaskView"}
    ),
    Told.TASK_ENDED: About("It is done, or was dropped; `task.outcome` says which.", {"task": "TaskView"}),
    Told.AGENT_STATE_CHANGED: About(
        "An agent is in another state, or away for another reason.", {"agent": "AgentView"}
    ),
    Told.CHANNEL_HEALTH_CHANGED: About("Sending through a channel fails, or works again.", {"channel": "ChannelView"}),
}

# The kinds of stream events that tell any of them.
KINDS = (
    "entry.added",
    "entry.changed",
    "conversation.changed",
    "call.changed",
    "customer.changed",
    "task.changed",
    "agent.changed",
    "channel.changed",
    "fact.contact",
    "fact.customer_joined",
    "fact.survey",
)


@dataclass(frozen=True, slots=True)
class Happened:
    """`lane`: what is of one lane arrives in the order in which it happened. `queue_id` and `channel_id` are what filters
    look at (None: it belongs to none). `wants`: what of `data` the event does not carry, as field → (noun, id), to be
    loaded."""

    told: Told
    key: str
    since: datetime
    lane: str
    data: Mapping[str, Any]
    queue_id: int | None = None
    channel_id: str | None = None
    wants: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def read(kind: str, at: datetime, seq: int, body: str) -> list[Happened]:
    """What an event of the stream tells, in the order in which it is to be told. Other kinds than KINDS tell nothing."""
    reader = _READERS.get(kind)
    return [] if reader is None else list(reader(json.loads(body), at, seq))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- conversations and their lines --------------------------------------------------------------------------------------

_BY_HAPPENING = {
    "transferred": Told.CONVERSATION_TRANSFERRED,
    "resolved": Told.CONVERSATION_RESOLVED,
    "reopened": Told.CONVERSATION_REOPENED,
    "escalated": Told.ESCALATION_FIRED,
}
# Lines that change nothing about the conversation itself, or tell what has an event of its own.
_UNTOLD = frozenset(
    {
        *("accepted", "claimed", "offered", "declined", "missed", "call", "survey", "scored"),
        *("task_made", "task_done", "task_dropped"),
    }
)


def _added(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    entry, conversation = event["entry"], event["conversation"]
    yield from _began_or_assigned(conversation)
    key, both = f"entry:{entry['id']}", {"conversation": conversation}
    if entry["kind"] == "note":
        yield _of(conversation, Told.NOTE_ADDED, key, at, {"note": entry, **both})
    elif entry["kind"] == "message" and entry["direction"] == "in":
        yield _of(conversation, Told.MESSAGE_RECEIVED, key, at, {"message": entry, **both})
    elif entry["kind"] == "event" and entry["happening"] in _BY_HAPPENING:
        yield _of(conversation, _BY_HAPPENING[entry["happening"]], key, at, {"entry": entry, **both})
    elif entry["kind"] == "event" and entry["happening"] not in _UNTOLD:
        yield _changed_one(conversation, at)


def _conversation(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    yield from _began_or_assigned(event["conversation"])
    yield _changed_one(event["conversation"], at)


def _changed_one(conversation: View, at: datetime) -> Happened:
    key = f"conversation:{conversation['id']}:{conversation['version']}"
    return _of(conversation, Told.CONVERSATION_CHANGED, key, at, {"conversation": conversation})


def _began_or_assigned(conversation: View) -> Iterator[Happened]:
    """Every view of a conversation says when it began and since when somebody has it."""
    key, data = f"conversation:{conversation['id']}", {"conversation": conversation}
    yield _of(conversation, Told.CONVERSATION_OPENED, f"{key}:opened", _instant(conversation["created_at"]), data)
    if conversation["assignee_id"] is not None and conversation["assigned_at"] is not None:
        whose = f"{key}:{conversation['assignee_id']}:{conversation['assigned_at']}"
        yield _of(conversation, Told.CONVERSATION_ASSIGNED, whose, _instant(conversation["assigned_at"]), data)


def _of(conversation: View, told: Told, key: str, since: datetime, data: View) -> Happened:
    lane = f"conversation:{conversation['id']}"
    return Happened(told, key, since, lane, data, conversation["queue_id"], conversation["channel_id"])


# A receipt may overtake others: what is delivered was sent, what was read was delivered.
_REACHED: Mapping[str, tuple[Told, ...]] = {
    "sent": (Told.MESSAGE_SENT,),
    "delivered": (Told.MESSAGE_SENT, Told.MESSAGE_DELIVERED),
    "read": (Told.MESSAGE_SENT, Told.MESSAGE_DELIVERED, Told.MESSAGE_READ),
}


def _moved(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    entry = event["entry"]
    delivery = entry["delivery"]
    if delivery is None:
        return
    since, key = _instant(delivery["at"]), f"entry:{entry['id']}"
    told = [(each, f"{key}:{each}") for each in _REACHED.get(delivery["state"], ())]
    if delivery["state"] == "failed":
        told = [(Told.MESSAGE_FAILED, f"{key}:failed:{delivery['at']}")]
    for each, named in told:
        yield Happened(
            each,
            named,
            since,
            f"conversation:{entry['conversation_id']}",
            {"message": entry},
            channel_id=entry["channel_id"],
            wants={"conversation": ("conversation", entry["conversation_id"])},
        )


# --- calls --------------------------------------------------------------------------------------------------------------

_MOMENTS = (
    (Told.CALL_STARTED, "started_at"),
    (Told.CALL_ANSWERED, "answered_at"),
    (Told.CALL_ENDED, "hung_up_at"),
    (Told.CALL_COMPLETED, "ended_at"),
)


def _call(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    call = event["call"]
    where = {"queue_id": call["queue_id"], "channel_id": call["channel_id"]}
    lane, key = f"conversation:{call['conversation_id']}", f"call:{call['id']}"
    for told, moment in _MOMENTS:
        if call[moment] is not None:
            yield Happened(told, f"{key}:{moment}", _instant(call[moment]), lane, {"call": call}, **where)
    for recording in call["recordings"]:
        if recording["state"] == "stored":
            data = {"recording": recording, "call": call}
            since = _instant(recording["started_at"])
            yield Happened(Told.RECORDING_READY, f"recording:{recording['id']}", since, lane, data, **where)


# --- customers, scores, colleagues, channels ----------------------------------------------------------------------------


def _customer(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    customer = event["customer"]
    key, data = f"customer:{customer['id']}", {"customer": customer}
    yield Happened(Told.CUSTOMER_CREATED, f"{key}:created", _instant(customer["created_at"]), key, data)
    if customer["version"] > 1:
        yield Happened(Told.CUSTOMER_CHANGED, f"{key}:{customer['version']}", at, key, data)


def _contact(fact: View, at: datetime, seq: int) -> Iterator[Happened]:
    """Whoever writes for the first time is a customer from then on, and no event carries their card. When they became one
    stands in it: whoever loads it sees whether that is news."""
    key = f"customer:{fact['customer_id']}"
    wants = {"customer": ("customer", fact["customer_id"])}
    if fact["episode"] == 0:
        yield Happened(Told.CUSTOMER_CREATED, f"{key}:created", at, key, {}, wants=wants)


def _joined(fact: View, at: datetime, seq: int) -> Iterator[Happened]:
    lane = f"customer:{fact['into_id']}"
    data, wants = {"merged_id": fact["customer_id"]}, {"customer": ("customer", fact["into_id"])}
    yield Happened(Told.CUSTOMER_MERGED, f"event:{seq}", at, lane, data, wants=wants)


def _survey(fact: View, at: datetime, seq: int) -> Iterator[Happened]:
    yield Happened(
        Told.SURVEY_ANSWERED,
        f"event:{seq}",
        at,
        f"conversation:{fact['conversation_id']}",
        {},
        queue_id=fact["queue_id"],
        channel_id=fact["channel_id"],
        wants={"survey": ("survey", fact["survey_id"])},
    )


_TURNS = ((Told.TASK_CREATED, "created_at"), (Told.TASK_DUE, "fired_at"), (Told.TASK_ENDED, "ended_at"))


def _task(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    task = event["task"]
    lane = f"task:{task['id']}"
    for told, moment in _TURNS:
        if task[moment] is not None:
            key = f"{lane}:{moment}:{task[moment]}"
            yield Happened(told, key, _instant(task[moment]), lane, {"task": task})


def _agent(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    agent = event["agent"]
    lane = f"agent:{agent['user_id']}"
    key = f"{lane}:{agent['state']}:{agent['reason']}:{agent['state_since']}"
    yield Happened(Told.AGENT_STATE_CHANGED, key, _instant(agent["state_since"]), lane, {"agent": agent})


def _channel(event: View, at: datetime, seq: int) -> Iterator[Happened]:
    channel = event["channel"]
    lane = f"channel:{channel['id']}"
    key = f"{lane}:{channel['health']}:{channel['health_since']}"
    since = _instant(channel["health_since"])
    yield Happened(Told.CHANNEL_HEALTH_CHANGED, key, since, lane, {"channel": channel}, channel_id=channel["id"])


_READERS = {
    "entry.added": _added,
    "entry.changed": _moved,
    "conversation.changed": _conversation,
    "call.changed": _call,
    "customer.changed": _customer,
    "task.changed": _task,
    "agent.changed": _agent,
    "channel.changed": _channel,
    "fact.contact": _contact,
    "fact.customer_joined": _joined,
    "fact.survey": _survey,
}


def write_body(happened: Happened, at: datetime, loaded: View) -> bytes:
    """What is sent; `loaded`: the values of `wants`."""
    data = {**happened.data, **loaded}
    body = {"type": happened.told.value, "timestamp": at.isoformat().replace("+00:00", "Z"), "version": VERSION}
    return json.dumps({**body, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()
