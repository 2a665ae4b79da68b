"""Every event of the stream, its fields and its audience: the contract between the hub and its live screens.

An event says what is now true (it carries the whole new view), so applying one twice, or one that an answer has already
told, changes nothing. `topics` says who may see it; a viewer holds a set of topics and sees an event when the sets meet:

    staff            everybody who is signed in
    supervisors      supervisors and administrators: stands beside the topics below wherever they may look, too
    queue:ID         members of the queue
    user:ID          that person
    customer:ID      whoever is looking at that customer's card right now
    visitor:ID       the chat visitor behind that contact point (never the console)
    facts            nobody's screen: the KPI projector reads these

`unless`: a viewer who holds one of these topics does not see it. It serves ConversationHidden alone: those who saw a
conversation and no longer may are told to drop it, and nobody else is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from hub.domain.views import (
    ActivityView,
    AgentView,
    AlertView,
    CallView,
    ChannelView,
    ConversationView,
    CustomerView,
    CustomFieldView,
    DraftMark,
    EntryView,
    EstimateView,
    FigureDefaultsView,
    ImportProgressView,
    KpiAlertView,
    NoticeRulesView,
    NumbersView,
    OfferView,
    PlannedView,
    QueueLengthView,
    QueueNumbersView,
    QueueView,
    RemakingView,
    TargetView,
    TaskView,
    TeamView,
    TopicView,
)

STAFF = "staff"
SUPERVISORS = "supervisors"
FACTS = "facts"


def queue_topic(queue_id: int) -> str:
    return f"queue:{queue_id}"


def user_topic(user_id: int) -> str:
    return f"user:{user_id}"


def customer_topic(customer_id: int) -> str:
    return f"customer:{customer_id}"


def visitor_topic(contact_point_id: int) -> str:
    return f"visitor:{contact_point_id}"


def conversation_topics(queue_id: int, assignee_id: int | None, participant_ids: Collection[int]) -> frozenset[str]:
    """Who may see a conversation: its queue's members, whoever it is assigned to or takes part in it, and supervisors."""
    topics = {SUPERVISORS, queue_topic(queue_id), *map(user_topic, participant_ids)}
    if assignee_id is not None:
        topics.add(user_topic(assignee_id))
    return frozenset(topics)


@dataclass(frozen=True, slots=True)
class EntryAdded:
    """A new line of a timeline, with its conversation as it is after that line."""

    KIND: ClassVar[str] = "entry.added"
    entry: EntryView
    conversation: ConversationView
    kind: Literal["entry.added"] = "entry.added"


@dataclass(frozen=True, slots=True)
class EntryChanged:
    """A delivery moved on, an attachment has arrived."""

    KIND: ClassVar[str] = "entry.changed"
    entry: EntryView
    kind: Literal["entry.changed"] = "entry.changed"


@dataclass(frozen=True, slots=True)
class ConversationChanged:
    KIND: ClassVar[str] = "conversation.changed"
    conversation: ConversationView
    kind: Literal["conversation.changed"] = "conversation.changed"


@dataclass(frozen=True, slots=True)
class ConversationHidden:
    """The viewer may no longer see this conversation: drop it."""

    KIND: ClassVar[str] = "conversation.hidden"
    conversation_id: int
    kind: Literal["conversation.hidden"] = "conversation.hidden"


@dataclass(frozen=True, slots=True)
class CustomerChanged:
    KIND: ClassVar[str] = "customer.changed"
    customer: CustomerView
    kind: Literal["customer.changed"] = "customer.changed"


@dataclass(frozen=True, slots=True)
class CustomersBrought:
    """An import wrote a batch of customers, new ones and known ones. No screen sees it: those that show one of them are told
    by CustomerChanged."""

    KIND: ClassVar[str] = "customers.brought"
    import_id: int
    customer_ids: tuple[int, ...]
    kind: Literal["customers.brought"] = "customers.brought"


@dataclass(frozen=True, slots=True)
class CustomerImportMoved:
    """An import of customers went on, ended, or was told to."""

    KIND: ClassVar[str] = "customer_import.moved"
    progress: ImportProgressView
    kind: Literal["customer_import.moved"] = "customer_import.moved"


@dataclass(frozen=True, slots=True)
class CustomerImportRemoved:
    """Somebody removed an import of customers, with its file; what it brought stays."""

    KIND: ClassVar[str] = "customer_import.removed"
    import_id: int
    kind: Literal["customer_import.removed"] = "customer_import.removed"


@dataclass(frozen=True, slots=True)
class CallChanged:
    """A call has begun, moved on or ended, or a leg of it. Whoever may see its conversation or takes part sees it."""

    KIND: ClassVar[str] = "call.changed"
    call: CallView
    kind: Literal["call.changed"] = "call.changed"


@dataclass(frozen=True, slots=True)
class OfferMade:
    KIND: ClassVar[str] = "offer.made"
    offer: OfferView
    kind: Literal["offer.made"] = "offer.made"


@dataclass(frozen=True, slots=True)
class OfferEnded:
    KIND: ClassVar[str] = "offer.ended"
    offer: OfferView
    kind: Literal["offer.ended"] = "offer.ended"


@dataclass(frozen=True, slots=True)
class AgentChanged:
    KIND: ClassVar[str] = "agent.changed"
    agent: AgentView
    kind: Literal["agent.changed"] = "agent.changed"


@dataclass(frozen=True, slots=True)
class QueueChanged:
    KIND: ClassVar[str] = "queue.changed"
    queue: QueueView
    kind: Literal["queue.changed"] = "queue.changed"


@dataclass(frozen=True, slots=True)
class EstimateChanged:
    KIND: ClassVar[str] = "estimate.changed"
    estimate: EstimateView
    kind: Literal["estimate.changed"] = "estimate.changed"


@dataclass(frozen=True, slots=True)
class QueueLengthChanged:
    KIND: ClassVar[str] = "queue_length.changed"
    length: QueueLengthView
    kind: Literal["queue_length.changed"] = "queue_length.changed"


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    KIND: ClassVar[str] = "channel.changed"
    channel: ChannelView
    kind: Literal["channel.changed"] = "channel.changed"


@dataclass(frozen=True, slots=True)
class NumbersChanged:
    KIND: ClassVar[str] = "numbers.changed"
    numbers: NumbersView
    kind: Literal["numbers.changed"] = "numbers.changed"


@dataclass(frozen=True, slots=True)
class QueueNumbersChanged:
    KIND: ClassVar[str] = "queue_numbers.changed"
    numbers: QueueNumbersView
    kind: Literal["queue_numbers.changed"] = "queue_numbers.changed"


@dataclass(frozen=True, slots=True)
class TopicChanged:
    KIND: ClassVar[str] = "topic.changed"
    topic: TopicView
    kind: Literal["topic.changed"] = "topic.changed"


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """Raised, or seen: then it is to be dropped."""

    KIND: ClassVar[str] = "alert.changed"
    alert: AlertView
    kind: Literal["alert.changed"] = "alert.changed"


@dataclass(frozen=True, slots=True)
class SkillsChanged:
    """What this person can do changed, or (null) which skills there are: whoever looks at them asks again."""

    KIND: ClassVar[str] = "skills.changed"
    user_id: int | None
    kind: Literal["skills.changed"] = "skills.changed"


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """The viewer's own rights changed (role, queues, deactivated): the console takes a fresh snapshot."""

    KIND: ClassVar[str] = "access.changed"
    user_id: int
    kind: Literal["access.changed"] = "access.changed"


@dataclass(frozen=True, slots=True)
class TeamChanged:
    KIND: ClassVar[str] = "team.changed"
    team: TeamView
    kind: Literal["team.changed"] = "team.changed"


@dataclass(frozen=True, slots=True)
class TeamRemoved:
    KIND: ClassVar[str] = "team.removed"
    team_id: int
    kind: Literal["team.removed"] = "team.removed"


@dataclass(frozen=True, slots=True)
class TargetChanged:
    KIND: ClassVar[str] = "target.changed"
    target: TargetView
    kind: Literal["target.changed"] = "target.changed"


@dataclass(frozen=True, slots=True)
class TargetRemoved:
    """It holds no more, or no more for the viewer."""

    KIND: ClassVar[str] = "target.removed"
    target_id: int
    kind: Literal["target.removed"] = "target.removed"


@dataclass(frozen=True, slots=True)
class FigureDefaultsChanged:
    KIND: ClassVar[str] = "figure_defaults.changed"
    defaults: FigureDefaultsView
    kind: Literal["figure_defaults.changed"] = "figure_defaults.changed"


@dataclass(frozen=True, slots=True)
class KpiAlertChanged:
    """A limit broke, or is well again: then it is to be dropped."""

    KIND: ClassVar[str] = "kpi_alert.changed"
    alert: KpiAlertView
    kind: Literal["kpi_alert.changed"] = "kpi_alert.changed"


@dataclass(frozen=True, slots=True)
class FiguresRemaking:
    """How far the figures are made anew; null: they are whole again, and all of today have been told."""

    KIND: ClassVar[str] = "figures.remaking"
    remaking: RemakingView | None
    kind: Literal["figures.remaking"] = "figures.remaking"


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """Another system has told something of a customer, or told it anew."""

    KIND: ClassVar[str] = "activity.changed"
    activity: ActivityView
    kind: Literal["activity.changed"] = "activity.changed"


@dataclass(frozen=True, slots=True)
class CannedReplyChanged:
    """A canned reply was made, changed or removed: whoever holds it asks for it again, and is answered what they may see."""

    KIND: ClassVar[str] = "canned_reply.changed"
    reply_id: int
    kind: Literal["canned_reply.changed"] = "canned_reply.changed"


@dataclass(frozen=True, slots=True)
class AlertsSeen:
    """Many of the viewer's own at once: they are to be dropped."""

    KIND: ClassVar[str] = "alerts.seen"
    alert_ids: tuple[int, ...]
    kind: Literal["alerts.seen"] = "alerts.seen"


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """Made, changed, come back, or ended. Told to whose it is and was, to supervisors, and to whoever looks at the card."""

    KIND: ClassVar[str] = "task.changed"
    task: TaskView
    kind: Literal["task.changed"] = "task.changed"


@dataclass(frozen=True, slots=True)
class NoticeRulesChanged:
    """The viewer's own."""

    KIND: ClassVar[str] = "notice_rules.changed"
    rules: NoticeRulesView
    kind: Literal["notice_rules.changed"] = "notice_rules.changed"


@dataclass(frozen=True, slots=True)
class CustomFieldChanged:
    KIND: ClassVar[str] = "custom_field.changed"
    field: CustomFieldView
    kind: Literal["custom_field.changed"] = "custom_field.changed"


@dataclass(frozen=True, slots=True)
class CustomFieldRemoved:
    """Nothing had a value of it: drop it."""

    KIND: ClassVar[str] = "custom_field.removed"
    field_id: int
    kind: Literal["custom_field.removed"] = "custom_field.removed"


@dataclass(frozen=True, slots=True)
class DraftBegun:
    """The viewer has begun to write somewhere. `writer` is the page of theirs that did. The words between begin and end are
    no events: whoever shows them asks (GET …/writing)."""

    KIND: ClassVar[str] = "draft.begun"
    draft: DraftMark
    writer: str
    kind: Literal["draft.begun"] = "draft.begun"


@dataclass(frozen=True, slots=True)
class DraftEnded:
    """It was sent, emptied, taken over by a colleague, or swept."""

    KIND: ClassVar[str] = "draft.ended"
    conversation_id: int
    writer: str
    kind: Literal["draft.ended"] = "draft.ended"


@dataclass(frozen=True, slots=True)
class PlannedChanged:
    """A message that goes out later was planned, changed, stopped, sent or taken back."""

    KIND: ClassVar[str] = "planned.changed"
    planned: PlannedView
    kind: Literal["planned.changed"] = "planned.changed"


@dataclass(frozen=True, slots=True)
class EntriesMoved:
    """Lines of this customer's timeline stand in another conversation now: whoever shows them asks for them anew."""

    KIND: ClassVar[str] = "entries.moved"
    customer_id: int
    from_id: int
    into_id: int
    kind: Literal["entries.moved"] = "entries.moved"


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """Nothing that says who this customer was is left: whoever shows anything of theirs drops it and asks anew."""

    KIND: ClassVar[str] = "customer.erased"
    customer_id: int
    kind: Literal["customer.erased"] = "customer.erased"


@dataclass(frozen=True, slots=True)
class DataRequestChanged:
    """What a customer asks about their data was taken down, or moved on: whoever shows it asks for it anew."""

    KIND: ClassVar[str] = "data_request.changed"
    request_id: int
    customer_id: int
    kind: Literal["data_request.changed"] = "data_request.changed"


HubEvent = (
    EntryAdded
    | EntryChanged
    | ConversationChanged
    | ConversationHidden
    | CustomerChanged
    | CustomerImportMoved
    | CustomerImportRemoved
    | CallChanged
    | OfferMade
    | OfferEnded
    | AgentChanged
    | QueueChanged
    | EstimateChanged
    | QueueLengthChanged
    | ChannelChanged
    | NumbersChanged
    | QueueNumbersChanged
    | TopicChanged
    | AlertChanged
    | SkillsChanged
    | AccessChanged
    | TeamChanged
    | TeamRemoved
    | TargetChanged
    | TargetRemoved
    | FigureDefaultsChanged
    | KpiAlertChanged
    | FiguresRemaking
    | ActivityChanged
    | CannedReplyChanged
    | AlertsSeen
    | TaskChanged
    | NoticeRulesChanged
    | CustomFieldChanged
    | CustomFieldRemoved
    | DraftBegun
    | DraftEnded
    | PlannedChanged
    | EntriesMoved
    | CustomerErased
    | DataRequestChanged
)


# --- facts: kept for ever, so that every figure can be recomputed from nothing ------------------------------------------


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """An agent's hold on a conversation ended. `how` it began and `end_reason` are those of the assignment. `put_aside`: when
    it was put aside and taken up again, by turns; the last of an even number of instants."""

    KIND: ClassVar[str] = "fact.segment"
    assignment_id: int
    conversation_id: int
    agent_id: int
    channel_id: str
    queue_id: int
    connected_at: datetime
    ended_at: datetime
    how: str
    end_reason: str
    topic_id: int | None = None
    customer_id: int | None = None
    # The call it was about, where it was one.
    call_id: int | None = None
    put_aside: tuple[datetime, ...] = ()
    kind: Literal["fact.segment"] = "fact.segment"


@dataclass(frozen=True, slots=True)
class CustomerAnswered:
    """A human answered the oldest unanswered message. `is_first`: nobody had answered this request before; in facts of before
    version 2 of `first_response_s`: nobody had answered in this conversation before."""

    KIND: ClassVar[str] = "fact.response"
    entry_id: int
    conversation_id: int
    agent_id: int
    channel_id: str
    queue_id: int
    asked_at: datetime
    answered_at: datetime
    is_first: bool
    topic_id: int | None = None
    customer_id: int | None = None
    # Of the same time, what fell into the hours of its queue; None: not known.
    business_s: float | None = None
    kind: Literal["fact.response"] = "fact.response"


@dataclass(frozen=True, slots=True)
class ConversationResolved:
    """`opened_at` is when the conversation began, whatever was reopened since. `agent_id`: who held it, else the resolver."""

    KIND: ClassVar[str] = "fact.resolution"
    entry_id: int
    conversation_id: int
    agent_id: int | None
    channel_id: str
    queue_id: int
    opened_at: datetime
    resolved_at: datetime
    reopened_count: int
    topic_id: int | None = None
    customer_id: int | None = None
    # When this request arrived: the beginning, or the last reopening.
    arrived_at: datetime | None = None
    # From the beginning, what fell into the hours of its queue; and how long the customer waited for us in all.
    business_s: float | None = None
    handling_s: float | None = None
    kind: Literal["fact.resolution"] = "fact.resolution"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Nobody is on the line any more, since `ended_at`; an agent may still write it up. `queue_id`: where it waited last
    (None: nowhere), `queued_at`: since when, in its first queue. `answered_at`: by the first agent. `end_reason`: a
    CallEnd."""

    KIND: ClassVar[str] = "fact.call"
    call_id: int
    conversation_id: int
    channel_id: str
    queue_id: int | None
    direction: str
    started_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime
    end_reason: str
    topic_id: int | None = None
    customer_id: int | None = None
    kind: Literal["fact.call"] = "fact.call"


@dataclass(frozen=True, slots=True)
class CallSegmentEnded:
    """An agent's part in a call is over, its wrap-up too; seconds of each."""

    KIND: ClassVar[str] = "fact.call_segment"
    segment_id: int
    call_id: int
    conversation_id: int
    agent_id: int
    channel_id: str
    queue_id: int
    direction: str
    how: str
    connected_at: datetime
    talk_s: float
    hold_s: float
    wrap_up_s: float
    ended_at: datetime
    end_reason: str
    disposition: str | None
    topic_id: int | None = None
    customer_id: int | None = None
    kind: Literal["fact.call_segment"] = "fact.call_segment"


@dataclass(frozen=True, slots=True)
class CallMissed:
    """A call rang at an agent and was not answered."""

    KIND: ClassVar[str] = "fact.call_missed"
    offer_id: int
    call_id: int
    conversation_id: int
    agent_id: int
    channel_id: str
    queue_id: int
    offered_at: datetime
    ended_at: datetime
    topic_id: int | None = None
    customer_id: int | None = None
    kind: Literal["fact.call_missed"] = "fact.call_missed"


@dataclass(frozen=True, slots=True)
class ContactBegan:
    """A customer's request began on a channel: a new conversation (`episode` 0) or one that was reopened (1, 2 …), by the
    customer or by one of us. `by_call`: it began with a call, which `fact.call` counts. `direction` out: we began it."""

    KIND: ClassVar[str] = "fact.contact"
    conversation_id: int
    episode: int
    customer_id: int
    channel_id: str
    queue_id: int
    direction: str
    arrived_at: datetime
    by_call: bool
    reopened_by: Literal["customer", "agent"] | None = None
    topic_id: int | None = None
    kind: Literal["fact.contact"] = "fact.contact"


@dataclass(frozen=True, slots=True)
class QueueVisitEnded:
    """Work no longer waits in a queue. `visit`: 1, 2 … of that conversation; `queued_at`: it joined this queue;
    `waiting_since`: the age by which it was routed; `arrived_at`: the request (the call) began; `agent_id`: who answered.
    `is_first`: no agent had had the request before."""

    KIND: ClassVar[str] = "fact.queue_visit"
    conversation_id: int
    visit: int
    customer_id: int
    channel_id: str
    queue_id: int
    arrived_at: datetime
    waiting_since: datetime
    queued_at: datetime
    removed_at: datetime
    # answered, abandoned, overflow, transferred, callback, system_drop, withdrawn
    reason: str
    agent_id: int | None = None
    call_id: int | None = None
    topic_id: int | None = None
    is_first: bool = True
    kind: Literal["fact.queue_visit"] = "fact.queue_visit"


@dataclass(frozen=True, slots=True)
class OfferOver:
    """An offer is over. `outcome`: an OfferOutcome."""

    KIND: ClassVar[str] = "fact.offer"
    offer_id: int
    conversation_id: int
    agent_id: int
    channel_id: str
    queue_id: int
    offered_at: datetime
    ended_at: datetime
    outcome: str
    call_id: int | None = None
    customer_id: int | None = None
    topic_id: int | None = None
    kind: Literal["fact.offer"] = "fact.offer"


@dataclass(frozen=True, slots=True)
class AgentSpellEnded:
    """An agent's state or load changed at `until`; from `since` on both had been the same. `load`: used capacity,
    `work_count`: how many pieces of work they held, put aside ones left out."""

    KIND: ClassVar[str] = "fact.agent_state"
    agent_id: int
    since: datetime
    until: datetime
    state: str
    reason: str | None
    load: int
    capacity: int
    work_count: int
    kind: Literal["fact.agent_state"] = "fact.agent_state"


@dataclass(frozen=True, slots=True)
class SurveySent:
    """A customer was asked for a score. `survey`: csat, nps or ces. `agent_id`: whose work it is about."""

    KIND: ClassVar[str] = "fact.survey_sent"
    survey_id: int
    survey: str
    conversation_id: int
    customer_id: int
    channel_id: str
    queue_id: int
    sent_at: datetime
    agent_id: int | None = None
    topic_id: int | None = None
    kind: Literal["fact.survey_sent"] = "fact.survey_sent"


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """The customer gave the score: CSAT and CES 1 to 5, NPS 0 to 10. `replaces`: the score that they had given before, which
    this one takes the place of, at the same `answered_at`."""

    KIND: ClassVar[str] = "fact.survey"
    survey_id: int
    survey: str
    score: int
    conversation_id: int
    customer_id: int
    channel_id: str
    queue_id: int
    sent_at: datetime
    answered_at: datetime
    agent_id: int | None = None
    topic_id: int | None = None
    replaces: int | None = None
    kind: Literal["fact.survey"] = "fact.survey"


@dataclass(frozen=True, slots=True)
class CustomerJoined:
    """Two customers are one: whatever was the first one's is the second one's from now on, and the first one is no more.
    `merge_id` names it to whoever takes it back; 0: of before that could be."""

    KIND: ClassVar[str] = "fact.customer_joined"
    customer_id: int
    into_id: int
    joined_at: datetime
    merge_id: int = 0
    kind: Literal["fact.customer_joined"] = "fact.customer_joined"


@dataclass(frozen=True, slots=True)
class CustomerParted:
    """They were two after all: the joining counts as if it had never been. `conversation_ids`: all that the first one has
    again, whoever's they were called meanwhile."""

    KIND: ClassVar[str] = "fact.customer_parted"
    merge_id: int
    customer_id: int
    into_id: int
    parted_at: datetime
    conversation_ids: tuple[int, ...] = ()
    kind: Literal["fact.customer_parted"] = "fact.customer_parted"


FactEvent = (
    SegmentEnded
    | CustomerAnswered
    | ConversationResolved
    | CallEnded
    | CallSegmentEnded
    | CallMissed
    | ContactBegan
    | QueueVisitEnded
    | OfferOver
    | AgentSpellEnded
    | SurveySent
    | SurveyAnswered
    | CustomerJoined
    | CustomerParted
)
FACT_KINDS = (
    "fact.segment",
    "fact.response",
    "fact.resolution",
    "fact.call",
    "fact.call_segment",
    "fact.call_missed",
    "fact.contact",
    "fact.queue_visit",
    "fact.offer",
    "fact.agent_state",
    "fact.survey_sent",
    "fact.survey",
    "fact.customer_joined",
    "fact.customer_parted",
)

StreamEvent = HubEvent | FactEvent | CustomersBrought


# --- volatile: shown now, never stored, never replayed -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is typing in a conversation, for the next few seconds. `user_id` is None for the customer."""

    KIND: ClassVar[str] = "typing"
    conversation_id: int
    user_id: int | None
    name: str
    kind: Literal["typing"] = "typing"


@dataclass(frozen=True, slots=True)
class Viewing:
    """Who has this customer's card open right now, everybody named; an empty list clears it."""

    KIND: ClassVar[str] = "viewing"
    customer_id: int
    user_ids: tuple[int, ...]
    kind: Literal["viewing"] = "viewing"


@dataclass(frozen=True, slots=True)
class Drafting:
    """What somebody has typed in a conversation was saved: whoever shows it asks for it anew. `writer` is the page."""

    KIND: ClassVar[str] = "drafting"
    conversation_id: int
    user_id: int
    writer: str
    kind: Literal["drafting"] = "drafting"


VolatileEvent = Typing | Viewing | Drafting
