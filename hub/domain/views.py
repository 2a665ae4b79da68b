"""What the console and the API show of each noun: the same shapes in answers, in the snapshot and inside events.

Every view of a thing that changes carries `version`, which rises with each change: whoever holds two versions of the same
thing keeps the higher, so an answer and an event may come in either order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hub.domain.calls import CallEnd, LegEnd, Party, Presence, Recording
from hub.domain.consent import How, Purpose
from hub.domain.fields import FieldKind, FieldOption, FieldValue, Subject
from hub.domain.mail import Mailbox, Noise
from hub.domain.permissions import Permission
from hub.domain.states import (
    AgentState,
    AttachmentState,
    CallState,
    ChannelHealth,
    ConversationStatus,
    Delivery,
    LegState,
    OfferOutcome,
    PlannedState,
    SurveyState,
)
from hub.domain.values import (
    AgentChoice,
    AuthorKind,
    ChannelKind,
    ContactKind,
    Direction,
    EntryKind,
    Happening,
    Role,
    SurveyKind,
)


@dataclass(frozen=True, slots=True)
class Author:
    kind: AuthorKind
    name: str
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file of an entry. `is_inline`: the mail's HTML shows it where it belongs."""

    id: int
    name: str
    media_type: str
    size_bytes: int | None
    state: AttachmentState
    url: str
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """`reason` is a machine word the console has a sentence for; `detail` is the provider's own words."""

    state: Delivery
    at: datetime
    reason: str | None = None
    detail: str | None = None
    segments: int | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class MailView:
    """What an entry shows more when it is a mail. `kind` is in, reply, new, forward or acknowledgement. `has_more`: quoted
    history, a signature or a longer text stands behind the entry's text (GET /entries/{id}/mail). `is_stranger`: written
    by somebody else than the conversation's customer. `fault`: it could not be read whole, and why in a machine's word."""

    kind: str
    subject: str
    senders: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    noise: Noise
    fault: str | None
    has_html: bool
    has_more: bool
    has_raw: bool
    is_stranger: bool


@dataclass(frozen=True, slots=True)
class EntryView:
    """One line of a timeline. `happening` and `data` are set for kind=event, `delivery` for outgoing messages, `mail` for
    mails, `call` where the line tells of one (happening=call): as it was when the line was read; call.changed tells on.

    `client_key` is the Idempotency-Key of the request that made it, so that the sender's screen can match its own echo.
    `origin_id`: the conversation that it came in or went out by, where that one has been merged into this.
    """

    id: int
    conversation_id: int
    customer_id: int
    channel_id: str
    kind: EntryKind
    direction: Direction
    author: Author
    text: str
    at: datetime
    version: int = 1
    happening: Happening | None = None
    data: dict[str, str | int | None] = field(default_factory=dict)
    attachments: tuple[AttachmentView, ...] = ()
    delivery: DeliveryView | None = None
    client_key: str | None = None
    mail: MailView | None = None
    call: CallView | None = None
    origin_id: int | None = None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """One request of a customer on one channel account.

    `unanswered_since`: when the oldest customer message that nobody has answered came in. `queued_since`: since when it
    waits for an agent (None while assigned or resolved). `last_entry_at`: when something was said or noted last, or it was
    resolved or opened; handling it alone does not count. `preview` is the start of the newest message. `subject` is what a
    conversation by mail is about (None on other channels). `priority` counts in minutes of waiting. `pinned_agent_id`: a
    supervisor chose who shall have it (None once somebody has it). `parked_until`: put aside until then. `next_step_at`:
    when the next step of its escalation policy is due if nothing happens; `escalated`: how many have fired since it was
    opened last. `call_id`: the call that goes on in it, until its last word is written down. `participant_ids`: colleagues
    who were asked into it, and see it wherever it goes. `merged_into_id`: it is one matter with that one, which has its lines
    and takes what comes next; it stays resolved. `visitor_away_since`: the visitor of an open chat left the page at that
    moment (None: they are there, or it is no open chat).
    """

    id: int
    customer_id: int
    customer_name: str
    contact_point_id: int
    address: str
    channel_id: str
    channel_kind: ChannelKind
    queue_id: int
    status: ConversationStatus
    assignee_id: int | None
    assigned_at: datetime | None
    queued_since: datetime | None
    unanswered_since: datetime | None
    created_at: datetime
    last_entry_at: datetime
    resolved_at: datetime | None
    reopened_count: int
    priority: int
    preview: str
    preview_direction: Direction
    version: int
    subject: str | None = None
    pinned_agent_id: int | None = None
    topic_id: int | None = None
    tags: tuple[str, ...] = ()
    customer_tier: int = 0
    parked_until: datetime | None = None
    next_step_at: datetime | None = None
    escalated: int = 0
    callback: CallbackView | None = None
    call_id: int | None = None
    participant_ids: tuple[int, ...] = ()
    fields: dict[str, FieldValue] = field(default_factory=dict)
    merged_into_id: int | None = None
    customer_is_erased: bool = False
    visitor_away_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallbackView:
    """The customer wants to be called at `address` instead of waiting. `state`: waiting (in its place in the queue, tried
    again at `next_attempt_at` if that is set) or calling (somebody has it in hand); `attempts` have been made so far."""

    address: str
    state: Literal["waiting", "calling"]
    attempts: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class LegView:
    """One party's line in a call. `name` is a colleague's or the customer's; `address` the number outside that it goes to
    (empty: a browser). `due_at`: until then it must be connected, or have come back after its line broke."""

    id: int
    party: Party
    user_id: int | None
    name: str
    address: str
    state: LegState
    presence: Presence
    muted: bool
    created_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    end_reason: LegEnd | None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallSegmentView:
    """An agent's part in a call. Seconds are those of what is over; what goes on now (`stretch`) has gone on since
    `stretch_since`. `ended_at` None: it goes on."""

    id: int
    agent_id: int
    agent_name: str
    how: Literal["answered", "claimed", "transferred", "consult", "outbound", "callback"]
    connected_at: datetime
    talk_s: float
    hold_s: float
    wrap_up_s: float
    stretch: Literal["talk", "hold", "wrap_up"]
    stretch_since: datetime
    ended_at: datetime | None
    disposition: str | None
    note: str


@dataclass(frozen=True, slots=True)
class RecordingView:
    """What was recorded of a call. It is played from `url` as long as it is stored; GET /recordings/{id} has the waveform
    and says who has heard it. `reason`: why it could not be fetched, a machine word."""

    id: int
    kind: Literal["call", "voicemail"]
    state: Literal["fetching", "stored", "failed", "deleted"]
    reason: str | None
    duration_s: float
    channels: int
    started_at: datetime
    url: str


@dataclass(frozen=True, slots=True)
class CallView:
    """A call as it is now. `address` is the customer's number (empty: withheld) or visitor id, `line` the number or page of
    ours. `due_at`: until when its state may last (the wrap-up, the way back of a lost agent). `chosen`: the names of what
    the customer chose in the menu. `hung_up_at`: nobody is on the line any more; `ended_at`: the wrap-up is over, too."""

    id: int
    conversation_id: int
    customer_id: int
    customer_name: str
    channel_id: str
    direction: Literal["in", "out"]
    state: CallState
    state_since: datetime
    queue_id: int | None
    agent_id: int | None
    address: str
    line: str
    language: str
    chosen: tuple[str, ...]
    recording: Recording
    started_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None
    hung_up_at: datetime | None
    ended_at: datetime | None
    end_reason: CallEnd | None
    due_at: datetime | None
    legs: tuple[LegView, ...]
    segments: tuple[CallSegmentView, ...]
    recordings: tuple[RecordingView, ...]
    version: int
    customer_is_erased: bool = False


@dataclass(frozen=True, slots=True)
class TopicView:
    """What conversations are about. Those about a complaint stay in sight until they are solved. Work of a topic goes to
    `queue_id` and `owner_id`, the department and the person who handle such matters (null: wherever it is)."""

    id: int
    name: str
    is_complaint: bool
    queue_id: int | None
    owner_id: int | None
    policy_id: int | None
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class AlertView:
    """Something that `user_id` must look at, until `seen_at`. `page` stands before everything. `reason` is a machine word
    the console has a sentence for, `data` what stands in it. `entry_id`: the very line it is about."""

    id: int
    user_id: int
    conversation_id: int | None
    level: Literal["notify", "page"]
    reason: str
    data: dict[str, str | int | None]
    at: datetime
    seen_at: datetime | None
    version: int
    entry_id: int | None = None
    task_id: int | None = None


@dataclass(frozen=True, slots=True)
class TaskView:
    """What somebody is to do at `due_at`: `assignee_id`, else everybody of `queue_id`. `fired_at`: it came back as work then;
    `left_at`: nobody saw to it, and supervisors were told. `outcome` null: it is still to be done."""

    id: int
    kind: Literal["follow_up", "call_back"]
    title: str
    note: str
    customer_id: int
    customer_name: str
    conversation_id: int | None
    assignee_id: int | None
    queue_id: int | None
    due_at: datetime
    fired_at: datetime | None
    left_at: datetime | None
    created_by: int | None
    created_at: datetime
    outcome: Literal["done", "dropped"] | None
    ended_at: datetime | None
    ended_by: int | None
    version: int
    customer_is_erased: bool = False


@dataclass(frozen=True, slots=True)
class NoticeRulesView:
    """How somebody wants to be told. `silent` and `hidden`: kinds (see agents.notice_rules) without a sound, without a notice
    of the system's. Between `quiet_from` and `quiet_until` (HH:MM in `zone`; null: the organisation's) and in the states
    `quiet_states` there is neither, but for what rings or pages. `density`: how close rows stand on their screens."""

    silent: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    quiet_from: str | None = None
    quiet_until: str | None = None
    zone: str | None = None
    quiet_states: tuple[str, ...] = ()
    density: Literal["comfortable", "compact"] = "comfortable"
    version: int = 0


@dataclass(frozen=True, slots=True)
class ConsentView:
    """What a customer allowed or forbade last, of a channel and purpose at one address: when, how, by whose hand (null: their
    own, or the hub's) and what was noted."""

    channel: ChannelKind
    purpose: Purpose
    given: bool
    how: How
    by_id: int | None
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ContactPointView:
    """`bounced_at`: the last mail to this address came back, for `bounce_reason` (a machine word). `is_main`: tried first of
    its kind. `opted_out`: nothing may be written there. `consents`: what was said of it last; where nothing was, service
    is allowed and marketing is not. The address of a handle is `network:name`."""

    id: int
    kind: ContactKind
    address: str
    verified: bool
    opted_out: bool
    last_seen_at: datetime | None
    bounced_at: datetime | None = None
    bounce_reason: str | None = None
    label: str = ""
    is_main: bool = False
    consents: tuple[ConsentView, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomerView:
    """`tier`: 0 to 3, each worth ten minutes of waiting. `owner_id`: the colleague who looks after them. `country`: its
    two letters (ISO 3166-1); `time_zone`: an IANA name; `birthday`: 1990-05-17, or --05-17 without its year; `source`: how
    they came; each empty if it is not known. `fields`: key of a custom field → value. `is_erased`: nothing that says who
    they were is left, and nothing more is written here."""

    id: int
    name: str
    language: str | None
    note: str
    created_at: datetime
    contact_points: tuple[ContactPointView, ...]
    version: int
    tier: int = 0
    owner_id: int | None = None
    preferred_channel: ChannelKind | None = None
    company: str = ""
    job_title: str = ""
    country: str = ""
    region: str = ""
    town: str = ""
    district: str = ""
    street: str = ""
    postcode: str = ""
    time_zone: str = ""
    birthday: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, FieldValue] = field(default_factory=dict)
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class CustomFieldView:
    """Something that this organisation keeps of every customer or conversation. `required`: a conversation is not resolved
    without it. `editable_by`: this role and those above. Switched off (`active`), it is shown only where it has a value."""

    id: int
    subject: Subject
    key: str
    name: str
    hint: str
    kind: FieldKind
    options: tuple[FieldOption, ...]
    section: str
    position: int
    required: bool
    editable_by: Role
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class ActivityView:
    """What another system knows of a customer. `kind`: order, payment, visit, delivery, ticket or other. `amount`: a decimal
    number as text, with its `currency` (ISO 4217)."""

    id: int
    customer_id: int
    source: str
    external_id: str
    kind: str
    title: str
    text: str
    amount: str | None
    currency: str | None
    url: str | None
    at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class DuplicateView:
    """Somebody who may be the same person. `why`: name, or mailbox (nearly the same)."""

    customer: CustomerView
    why: str


CardValue = str | int | float | list[str] | dict[str, str | int | float | list[str] | None] | None


@dataclass(frozen=True, slots=True)
class MergeFieldView:
    """A field of the card that the two fill differently. `choices`: ours, theirs, and both where there is room for both."""

    name: str
    ours: CardValue
    theirs: CardValue
    choices: tuple[str, ...]
    proposed: str


@dataclass(frozen=True, slots=True)
class MergePreviewView:
    """What would be if `other` became a part of `customer`, which lives on."""

    customer: CustomerView
    other: CustomerView
    fields: tuple[MergeFieldView, ...]
    conversations: int
    other_conversations: int


@dataclass(frozen=True, slots=True)
class MergeView:
    """Somebody was found to be the same as another, who lives on. `by_id` null and `reason` claim: a visitor said so."""

    id: int
    from_id: int
    from_name: str
    into_id: int
    at: datetime
    by_id: int | None
    by_name: str | None
    reason: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConversationMergeView:
    """A conversation was found to be the matter of another, `into_id`, which has its lines since."""

    id: int
    from_id: int
    into_id: int
    at: datetime
    by_id: int
    by_name: str


@dataclass(frozen=True, slots=True)
class MergeTargetView:
    """A conversation of the same customer that another could be merged into. `refused`: why not, a machine word; null: it
    could. `messages`: how many stand there."""

    conversation: ConversationView
    messages: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class OfferView:
    """Work that rings at an agent. `why` says in words-for-machines why this agent (the engine's record). `call_id`: a caller
    who is on the line. `callback_address`: the customer wants to be called there. `visitor_away_since`: as in the
    conversation."""

    id: int
    conversation_id: int
    agent_id: int
    offered_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    outcome: OfferOutcome | None
    customer_name: str
    channel_id: str
    channel_kind: ChannelKind
    queue_id: int
    preview: str
    waiting_since: datetime
    why: dict[str, str | int | float | None]
    call_id: int | None = None
    callback_address: str | None = None
    customer_is_erased: bool = False
    visitor_away_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent as colleagues see them. `load` and `capacity` are in the same weighted units (default budget 100).
    `active` False: works here no longer, drop them."""

    user_id: int
    name: str
    role: Role
    state: AgentState
    reason: str | None
    state_since: datetime
    connected: bool
    load: int
    capacity: int
    version: int
    active: bool = True


@dataclass(frozen=True, slots=True)
class SkillView:
    """A language is a skill like any other, by the name `language:hy`."""

    id: int
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class OverflowView:
    """Work stands in these queues too once it has waited `after_s`, or while its queue's estimated wait is above
    `ewt_over_s`: one of the two or both."""

    queue_ids: tuple[int, ...]
    after_s: int | None = None
    ewt_over_s: int | None = None


@dataclass(frozen=True, slots=True)
class RequirementView:
    """All work of the queue requires the skill, at this level (1 to 5) or above."""

    skill_id: int
    level: int


@dataclass(frozen=True, slots=True)
class QueueView:
    """`ring_s`: kind of channel → how long an offer rings, where it is not `offer_timeout_s`. `language_wish_s`: so long
    its work waits for somebody who speaks the customer's language; `last_agent_wish_s`: for whoever had the customer
    within `last_agent_days`; `owner_wish_s`: for the owner of the customer's account (null: that is not looked at).
    `unservable`: so much of its waiting work nobody could ever be offered, whoever were at work.

    `ranks`: member → rank, of those who have another than 0. `auto_accept`: kinds whose offers are accepted by themselves.
    `calendar_id`: when it is open (null: always); `policy_id`: its escalation policy. `tells_place`: waiting customers
    are told their place and the estimated wait; `offers_callback`: they may ask to be called back instead, which is tried
    `callback_attempts` times, `callback_gap_s` apart.

    After a call its agent has `wrap_up_s` to write down what it was about (0: none); if that is mandatory, until they have
    chosen one of `dispositions`. `records_calls` from the beginning; recordings go after `recording_days` (null: never).
    `caller_channel_id`: the line by which its agents call out (null: any that can)."""

    id: int
    name: str
    member_ids: tuple[int, ...]
    offer_timeout_s: int
    version: int
    signature: str = ""
    choice: AgentChoice = AgentChoice.LEAST_LOADED
    overflow: tuple[OverflowView, ...] = ()
    makes_room: bool = False
    ring_s: dict[ChannelKind, int] = field(default_factory=dict)
    max_wait_s: int = 3600
    exclusion_s: int = 60
    miss_limit: int = 3
    release_when_lost: Literal["live", "all"] = "live"
    language_wish_s: int | None = None
    last_agent_days: int | None = None
    last_agent_wish_s: int | None = None
    required: tuple[RequirementView, ...] = ()
    unservable: int = 0
    owner_wish_s: int | None = None
    ranks: dict[int, int] = field(default_factory=dict)
    auto_accept: tuple[ChannelKind, ...] = ()
    connect_timeout_s: int = 30
    calendar_id: int | None = None
    policy_id: int | None = None
    tells_place: bool = True
    offers_callback: bool = False
    callback_gap_s: int = 900
    callback_attempts: int = 3
    wrap_up_s: int = 60
    wrap_up_mandatory: bool = False
    dispositions: tuple[str, ...] = ()
    records_calls: bool = False
    recording_days: int | None = None
    caller_channel_id: str | None = None


@dataclass(frozen=True, slots=True)
class EstimateView:
    """The estimated wait in a queue of whoever joins it now (null: nothing can be said yet), and how far such estimates
    were off lately: the mean of the absolute error over so many samples (null while there is none)."""

    queue_id: int
    ewt_s: float | None
    error_s: float | None
    samples: int
    version: int


@dataclass(frozen=True, slots=True)
class QueueLengthView:
    """How many wait in a queue now (who is to be called back later does not), since when the longest of them, and how much
    of it is not resolved, with somebody or not. It was so a moment ago."""

    queue_id: int
    waiting: int
    longest_since: datetime | None
    unresolved: int
    version: int


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where waiting work stands: its place in the queue (1 is next) and the estimated wait from now on; null where it does
    not stand in line or nothing can be said. `opens_at`: the queue is closed until then."""

    position: int | None
    ewt_s: float | None
    opens_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChannelCapabilities:
    """What a channel can carry, told to the composer before anything is queued. None means no limit of ours."""

    text_limit: int | None
    attachments: bool
    attachment_limit_bytes: int | None
    attachment_types: tuple[str, ...]
    receipts: bool
    typing: bool


@dataclass(frozen=True, slots=True)
class VoiceView:
    """What a telephone line can do: call numbers outside (`dials`); have an agent's browser as their telephone
    (`in_browser`), by an SDP offer of the page (`by_connect`) or through the provider's own page library."""

    dials: bool
    in_browser: bool
    by_connect: bool


@dataclass(frozen=True, slots=True)
class ChannelView:
    """`voice`: it is a telephone line, and carries calls instead of messages. `provider`: which of several adapters of its
    kind. `health` is that of sending; `inbound_health` that of fetching what comes in, where the hub has to fetch it.
    `own_addresses`: of a mail account, its address and aliases; no answer goes to them."""

    id: str
    kind: ChannelKind
    name: str
    address: str
    queue_id: int
    enabled: bool
    health: ChannelHealth
    health_code: str | None
    health_detail: str | None
    health_since: datetime
    capabilities: ChannelCapabilities
    version: int
    inbound_health: ChannelHealth = ChannelHealth.OK
    inbound_code: str | None = None
    inbound_detail: str | None = None
    inbound_since: datetime | None = None
    own_addresses: tuple[str, ...] = ()
    provider: str = ""
    voice: VoiceView | None = None
    flow_id: int | None = None


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role of one's own. `base`: what its people see; `people`: how many who are active have it."""

    id: int
    name: str
    base: Role
    permissions: tuple[Permission, ...]
    people: int
    version: int


@dataclass(frozen=True, slots=True)
class UserView:
    id: int
    email: str
    name: str
    role: Role
    language: str
    active: bool
    capacity: int
    queue_ids: tuple[int, ...]
    version: int
    signature: str = ""
    # Kind of channel → what a piece of such work costs this person, where it is not as usual.
    weights: dict[ChannelKind, int] = field(default_factory=dict)
    # The telephone on which they take calls where the line can dial (null: in the browser).
    desk_phone: str | None = None
    # So long they may take back a mail, or any other message, after "send" (0: not at all).
    undo_mail_s: int = 10
    undo_text_s: int = 0
    # Of a role of one's own, whose base `role` is; null: the built-in one.
    role_id: int | None = None
    role_name: str | None = None


@dataclass(frozen=True, slots=True)
class NumbersView:
    """An agent's own day so far, in their team's time zone (the organisation's where it has none). Durations in seconds;
    None while there is no case yet. What each figure means is said by the measure it is (kpi.measures).

    `calls_in`, `calls_out` and `calls_internal` were handled, `calls_missed` rang out; `talk_s`, `hold_s` and `wrap_up_s` are
    the sums of those handled, `aht_s` the mean of all three together. `chats`, `mails` and `texts` are handled segments;
    `handle_mean_s` is of all that is not a call. `transfer_cases`: of how many segments those that were passed on are. Of
    `offers` of work, calls among them, that ended some were `offers_missed` (they rang out) or `offers_declined`.

    Occupancy goes on while it is looked at: `work_ms` and `available_ms` are of the stretches of time that ended, and to one
    of them (`spell`) belongs the time since `spell_since`."""

    user_id: int
    day: str
    handled_contacts: int
    first_response_mean_s: float | None
    first_response_count: int
    resolution_median_s: float | None
    resolution_count: int
    as_of_seq: int
    calls_in: int = 0
    calls_out: int = 0
    calls_missed: int = 0
    talk_s: float = 0.0
    hold_s: float = 0.0
    wrap_up_s: float = 0.0
    aht_s: float | None = None
    calls_internal: int = 0
    handled_segments: int = 0
    chats: int = 0
    mails: int = 0
    texts: int = 0
    handle_mean_s: float | None = None
    handle_count: int = 0
    first_response_median_s: float | None = None
    resolution_p90_s: float | None = None
    # The share of satisfied customers (4 and 5 of 5), the mean of 1 to 5, and of how many.
    csat_share: float | None = None
    csat_mean: float | None = None
    csat_count: int = 0
    transfers_blind: int = 0
    transfers_consult: int = 0
    transfers_requeue: int = 0
    transfer_cases: int = 0
    offers: int = 0
    offers_missed: int = 0
    offers_declined: int = 0
    work_ms: int = 0
    available_ms: int = 0
    spell: Literal["work", "available", "none"] = "none"
    spell_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueNumbersView:
    """A queue's day so far, in the organisation's time zone (kpi.measures says what counts as which). `calls_...`,
    `wait_mean_s`, `talk_s` to `aht_s` are of calls alone, all else is of every channel. Abandoned are those whose customer
    left while waiting; the short ones (by default under 5 s) are counted apart. `abandonment` has `abandonment_count` cases.
    Sums and means in seconds; None: no case yet.

    `service_level` is counted as the organisation chose (`service_level_id`, within `threshold_s`): it is
    `answered_in_threshold` ÷ `service_level_offered`. `backlog`: what is not resolved, now."""

    queue_id: int
    day: str
    calls_offered: int
    calls_answered: int
    calls_abandoned: int
    calls_short_abandoned: int
    calls_missed: int
    wait_mean_s: float | None
    talk_s: float
    hold_s: float
    wrap_up_s: float
    aht_s: float | None
    as_of_seq: int
    service_level: float | None = None
    answered_in_threshold: int = 0
    service_level_offered: int = 0
    service_level_id: str = "service_level"
    threshold_s: int = 20
    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    abandonment: float | None = None
    abandonment_count: int = 0
    asa_s: float | None = None
    asa_count: int = 0
    backlog: int = 0


@dataclass(frozen=True, slots=True)
class BoardAgentView:
    """An agent on the board: as colleagues see them, the teams they are in now, and their day."""

    user_id: int
    name: str
    state: AgentState
    reason: str | None
    state_since: datetime
    connected: bool
    load: int
    capacity: int
    team_ids: tuple[int, ...]
    numbers: NumbersView


@dataclass(frozen=True, slots=True)
class BoardQueueView:
    """A queue on the board: who waits now, since when the one who has waited longest, the wait foretold, and its day."""

    queue_id: int
    name: str
    waiting: int
    longest_since: datetime | None
    ewt_s: float | None
    numbers: QueueNumbersView


ImportState = Literal["new", "trying", "tried", "running", "paused", "done", "failed"]


@dataclass(frozen=True, slots=True)
class ImportProgressView:
    """How far an import of customers is. `new`: its columns are to be named. `trying` counts what `running` would do; both
    are through with `done` of `total` lines: customers that are new, changed or stay as they are, and lines refused."""

    id: int
    state: ImportState
    total: int
    done: int
    made: int
    changed: int
    same: int
    refused: int
    version: int


@dataclass(frozen=True, slots=True)
class RemakingView:
    """Figures are being made anew, all of them: those of days before `made_to` (ISO, the organisation's) are made already."""

    made_to: str


@dataclass(frozen=True, slots=True)
class BoardView:
    """Agents and queues as they are now. Everything that happened before `as_of` is in the figures; `day` (ISO) is the
    organisation's. `remaking` null: the figures are whole."""

    as_of: datetime
    remaking: RemakingView | None
    day: str
    time_zone: str
    agents: tuple[BoardAgentView, ...]
    queues: tuple[BoardQueueView, ...]


# --- when we are there --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpecialDayView:
    """A date (ISO) with hours of its own, pairs of HH:MM; none: closed. `source`: manual, ical, country:AM …"""

    day: str
    hours: tuple[tuple[str, str], ...]
    name: str
    source: str


@dataclass(frozen=True, slots=True)
class CalendarUseView:
    """Who goes by a calendar: queues, and rules of the set in force, by name."""

    queue_ids: tuple[int, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CalendarView:
    """`week`: seven days, Monday first, each with its hours as pairs of HH:MM (past midnight: 26:00). `is_open` now, and
    `changes_at`: when that will be otherwise (null: never)."""

    id: int
    name: str
    version: int
    zone: str
    week: tuple[tuple[tuple[str, str], ...], ...]
    special: tuple[SpecialDayView, ...]
    is_open: bool
    changes_at: datetime | None
    used_by: CalendarUseView


# --- teams, targets, and limits that are watched ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TeamView:
    """People whose figures are told together. `time_zone`: by which clock its day goes; null: the organisation's.
    `member_ids`: who is in it now and active; somebody may be in several."""

    id: int
    name: str
    time_zone: str | None
    leaderboard: bool
    member_ids: tuple[int, ...]
    version: int


@dataclass(frozen=True, slots=True)
class TargetView:
    """What a figure should be, for everybody (`scope_id` null) or for one queue, team or agent: the narrowest holds. From
    `target` on it is good; between that and `warning` it is a warning; beyond it is bad."""

    id: int
    measure: str
    scope: Literal["all", "queue", "team", "agent"]
    scope_id: int | None
    target: float
    warning: float | None


@dataclass(frozen=True, slots=True)
class FigureDefaultsView:
    """How service level is counted where nobody asks otherwise: the measure's id, its threshold, and up to how many seconds
    an abandon is a short one."""

    service_level: str
    threshold_s: int
    short_s: int
    version: int


@dataclass(frozen=True, slots=True)
class KpiAlertView:
    """A limit that broke, as it was then. `healed_at` null: it still is. `healed_value` null: it was switched off or removed
    meanwhile."""

    id: int
    rule_id: int | None
    name: str
    measure: str
    scope: Literal["all", "queue", "team", "agent"]
    scope_id: int | None
    raise_at: float
    clear_at: float
    raised_at: datetime
    value: float
    healed_at: datetime | None
    healed_value: float | None
    version: int


@dataclass(frozen=True, slots=True)
class SurveyView:
    """One asking for a score. `kind`: csat and ces have scores 1 to 5, nps 0 to 10. `agent_id`: whose work it is about.
    `dropped`: why nobody was asked, a machine word. `follow_up` (of a low score): open, or done by `followed_up_by`.
    `is_readable` False: the viewer may not see the conversation (any more), and customer and comment are left out."""

    id: int
    kind: SurveyKind
    state: SurveyState
    conversation_id: int
    customer_id: int
    customer_name: str
    channel_id: str
    queue_id: int
    agent_id: int | None
    agent_name: str | None
    topic_id: int | None
    due_at: datetime
    sent_at: datetime | None
    expires_at: datetime | None
    answered_at: datetime | None
    score: int | None
    comment: str
    is_low: bool
    dropped: str | None
    follow_up: Literal["open", "done"] | None
    followed_up_by: str | None
    followed_up_at: datetime | None
    is_readable: bool
    customer_is_erased: bool = False


# --- canned replies -----------------------------------------------------------------------------------------------------

CannedScope = Literal["personal", "all", "queues"]


@dataclass(frozen=True, slots=True)
class CannedTextView:
    """What a canned reply says in one language. `subject`: for a mail that has none yet."""

    language: str
    text: str
    subject: str | None


@dataclass(frozen=True, slots=True)
class CannedReplyView:
    """`code` is typed after a slash. `folder`: names with / between them, or empty. `scope`: personal (yours alone), all, or
    queues (of `queue_ids`). `texts`: the customer's language is taken, else the first. `used` counts everybody's uses,
    `used_by_me` your own; a use makes no new version."""

    id: int
    title: str
    code: str
    folder: str
    scope: CannedScope
    queue_ids: tuple[int, ...]
    texts: tuple[CannedTextView, ...]
    used: int
    last_used_at: datetime | None
    used_by_me: int
    last_used_by_me_at: datetime | None
    changed_at: datetime
    changed_by: int | None
    version: int


# --- being written ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MailHeadView:
    """The head of a mail that is not sent yet. What is null the hub fills in when it is. `everybody`: the answer goes to
    all who got the mail; `forwarded`: files of the conversation that go along."""

    kind: Literal["reply", "new", "forward"]
    everybody: bool
    subject: str | None
    to: tuple[Mailbox, ...] | None
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    about_entry_id: int | None
    quote: bool
    forwarded: tuple[AttachmentView, ...]


@dataclass(frozen=True, slots=True)
class DraftView:
    """What somebody has typed in a conversation and not sent: an answer and a note, each with files. `began_at` is null
    when it holds no words (any more). `writer`: the page that wrote last. `taken_by`: the colleague who took the words over,
    at `taken_at`."""

    conversation_id: int
    user_id: int
    user_name: str
    text: str
    note: str
    attachments: tuple[AttachmentView, ...]
    note_attachments: tuple[AttachmentView, ...]
    mail: MailHeadView | None
    began_at: datetime | None
    updated_at: datetime
    writer: str
    taken_by: int | None
    taken_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class DraftMark:
    """The viewer has begun something there."""

    conversation_id: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class PlannedView:
    """A message that goes out at `send_at`, in its author's name. `is_held`: "send" was pressed a moment ago, and until then
    it can be taken back. `despite`: also when the customer has written, or the conversation was resolved, since. STOPPED: it
    does not go by itself, for `reason` (a machine word) and `detail` (words; in events in English, in answers in the language
    that is asked for); `entry_id` is the line that it became."""

    id: int
    conversation_id: int
    customer_id: int
    author_id: int
    author_name: str
    is_held: bool
    text: str
    attachments: tuple[AttachmentView, ...]
    mail: MailHeadView | None
    send_at: datetime
    despite: bool
    state: PlannedState
    reason: str | None
    detail: str | None
    entry_id: int | None
    client_key: str | None
    created_at: datetime
    version: int
