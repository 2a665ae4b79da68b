"""Request and response bodies of the API that are not views (hub.domain.views) themselves.

Requests forbid unknown fields and name every faulty field; answers are typed, so the OpenAPI document is generated from
these classes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SkipValidation, StringConstraints

from hub.agents.retention import Kept
from hub.customer_files.cards import Duplicates
from hub.domain.consent import Purpose
from hub.domain.events import HubEvent, VolatileEvent
from hub.domain.fields import FieldKind, FieldValue, Subject
from hub.domain.languages import StaffLanguage
from hub.domain.mail import Mailbox, Noise, SpanKind
from hub.domain.permissions import Permission
from hub.domain.placeholders import Name as PlaceholderName
from hub.domain.states import AgentState, ConversationStatus, OfferOutcome
from hub.domain.values import AgentChoice, ChannelKind, Role, SurveyKind
from hub.domain.views import (
    AgentView,
    AlertView,
    CallView,
    CannedScope,
    ChannelView,
    ContactPointView,
    ConversationMergeView,
    ConversationView,
    CustomerView,
    CustomFieldView,
    DraftMark,
    DraftView,
    EntryView,
    EstimateView,
    FigureDefaultsView,
    ImportProgressView,
    KpiAlertView,
    MergeView,
    NoticeRulesView,
    NumbersView,
    OfferView,
    PlannedView,
    QueueLengthView,
    QueueNumbersView,
    QueueView,
    RecordingView,
    RemakingView,
    RequirementView,
    RoleView,
    SkillView,
    SpecialDayView,
    TargetView,
    TaskView,
    TeamView,
    TopicView,
    UserView,
)
from hub.routing.directing import MOST_TAGS
from hub.routing.escalation import Clock, WorkState
from hub.routing.rules import Rule
from hub.staffing.erlang import MAX_AGENTS, MAX_CONCURRENCY
from hub.timeline.search import SearchHit
from hub.web.api import QueryFields
from hub.webhooks.catalogue import Told

T = TypeVar("T")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
]
Values = Annotated[dict[Annotated[str, StringConstraints(max_length=60)], str], Field(max_length=50)]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]


# Below a mail: a few lines.
Signature = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=100_000)


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A slice of a list: ask again with `cursor=next_cursor` until it is null."""

    items: list[T]
    next_cursor: str | None = None


class ErrorBody(Answer):
    code: str
    message: str
    fields: dict[str, str] | None = None


# --- session ----------------------------------------------------------------------------------------------------------


class SignIn(Request):
    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=254)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Session(Answer):
    user: UserView
    # What they may do beside looking, in the order of the list.
    permissions: list[Permission]
    csrf_token: str
    # When it ends whatever happens; null for an API key.
    expires_at: datetime | None = None
    # Of a screen on a wall, which only looks at the board.
    is_screen: bool = False


class ChangePassword(Request):
    current_password: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    new_password: Password


class UpdateMe(Request):
    """`null` or absent leaves a field as it is."""

    name: Name | None = None
    language: StaffLanguage | None = None
    signature: Signature | None = None
    # Seconds in which a mail, or any other message, can be taken back after "send"; 0: not at all.
    undo_mail_s: Annotated[int, Field(ge=0, le=60)] | None = None
    undo_text_s: Annotated[int, Field(ge=0, le=60)] | None = None


class SetMyState(Request):
    """`reason` goes with `away` (break, lunch, meeting, training …)."""

    state: Literal["available", "busy", "away"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] | None = None


# --- snapshot ---------------------------------------------------------------------------------------------------------


class Organisation(Answer):
    """`languages`: the customers', the usual one first; empty as long as nobody has said it."""

    name: str
    time_zone: str
    languages: list[str] = []


class Snapshot(Answer):
    """All the console shows at once, and the token of the moment it was true. `conversations` holds the open ones the
    viewer may see, newest activity first; `conversations_complete` is false when there were more than it carries (then
    the lists page through GET /conversations, and `queue_lengths` says how many wait). What somebody has comes before what
    waits, one's own first: `work_complete` is false when there was more of that alone."""

    token: str
    at: datetime
    user: UserView
    permissions: list[Permission]
    organisation: Organisation
    agents: list[AgentView]
    queues: list[QueueView]
    channels: list[ChannelView]
    conversations: list[ConversationView]
    conversations_complete: bool
    work_complete: bool
    offers: list[OfferView]
    numbers: NumbersView
    topics: list[TopicView]
    estimates: list[EstimateView]
    # How long every queue is; one that has not been counted yet is not in it. Empty for agents.
    queue_lengths: list[QueueLengthView]
    # One's own that have not been seen: the newest 200, which is more than anybody counts.
    alerts: list[AlertView]
    # Those that go on, as far as the viewer may see them.
    calls: list[CallView]
    # Of the viewer's queues (a supervisor's are all) that had calls today.
    queue_numbers: list[QueueNumbersView]
    # For supervisors: of everybody who has done anything today. Empty for agents, who have `numbers`.
    agent_numbers: list[NumbersView]
    teams: list[TeamView]
    # Those that hold for the viewer; for supervisors all.
    targets: list[TargetView]
    # Figures are being made anew; null: they are whole.
    remaking: RemakingView | None
    figure_defaults: FigureDefaultsView
    # Limits that are broken now. Empty for agents.
    kpi_alerts: list[KpiAlertView]
    # What the viewer has to do, and what anybody of their queues has; what is due first.
    tasks: list[TaskView]
    # How the viewer wants to be told.
    notice_rules: NoticeRulesView
    custom_fields: list[CustomFieldView]
    # Where the viewer has begun to write.
    drafts: list[DraftMark]


# --- conversations ----------------------------------------------------------------------------------------------------


class MailboxIn(Request):
    address: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=254)]
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


# More than any person writes to at once; a list has its own programs.
Mailboxes = Annotated[list[MailboxIn], Field(max_length=50)]


class NewMail(Request):
    """What a mail says beside its text. `about_entry_id` is the mail that is answered or forwarded (absent: the newest one
    that came in). Absent recipients of a reply are whoever wrote that mail; a forward must name its own. `quote`: the
    mail it is about stands below. `forwarded_attachment_ids` are files of this conversation that go along."""

    kind: Literal["reply", "new", "forward"] = "reply"
    subject: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] | None = None
    to: Mailboxes | None = None
    cc: Mailboxes = []
    bcc: Mailboxes = []
    about_entry_id: int | None = None
    quote: bool = True
    forwarded_attachment_ids: Annotated[list[int], Field(max_length=50)] = []


# A page of a browser, by a word it chose for itself.
Writer = Annotated[str, StringConstraints(max_length=40, pattern=r"^[\x21-\x7e]*$")]


class EndedDraft(Request):
    """The draft that this was: its version as the page knows it. It ends with the message, in one transaction, unless another
    page has written since."""

    version: Annotated[int, Field(ge=0)]
    writer: Writer


class NewMessage(Request):
    """A reply to the customer: text, files, or both. `attachment_ids` come from POST /attachments; `mail` is for
    conversations by mail, where a plain reply needs none."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)] = ""
    attachment_ids: Annotated[list[int], Field(max_length=10)] = []
    mail: NewMail | None = None
    draft: EndedDraft | None = None


class Mention(Request):
    """A colleague, a team or a queue, all of whose people are told."""

    kind: Literal["user", "team", "queue"]
    id: Annotated[int, Field(gt=0)]


class NewNote(Request):
    """For colleagues: text, files, or both. `mentions`: who is named in the text, each by their name behind an @."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)] = ""
    attachment_ids: Annotated[list[int], Field(max_length=10)] = []
    mentions: Annotated[list[Mention], Field(max_length=20)] = []
    draft: EndedDraft | None = None


# --- being written ----------------------------------------------------------------------------------------------------

# Longer than any message may be: whoever cuts it down must not lose it meanwhile.
DraftText = Annotated[str, StringConstraints(max_length=40_000)]


class DraftMail(NewMail):
    """`everybody`: its recipients are all who got the mail it answers."""

    everybody: bool = False


class SaveDraft(Request):
    """All of it: `text` and `attachment_ids` of the answer, `mail` where its head was changed, `note` and
    `note_attachment_ids`. `expected_version` is the one the page knows, 0 for none; `typed_at`: when the last of it was
    typed, which may be long before the page could tell; None: now."""

    text: DraftText = ""
    note: DraftText = ""
    attachment_ids: Annotated[list[int], Field(max_length=10)] = []
    note_attachment_ids: Annotated[list[int], Field(max_length=10)] = []
    mail: DraftMail | None = None
    expected_version: Annotated[int, Field(ge=0)]
    typed_at: AwareDatetime | None = None
    writer: Writer = ""


class TakeDraft(Request):
    expected_version: int
    writer: Writer = ""


class NewPlannedMessage(NewMessage):
    """With `send_at` it goes out then; without it is held for `hold_s`, so that it can be taken back. `despite`: also when
    the customer has written, or the conversation was resolved, since. `everybody` as in a draft."""

    send_at: AwareDatetime | None = None
    hold_s: Annotated[int, Field(ge=1, le=60)] | None = None
    despite: bool = False
    everybody: bool = False


class ChangePlannedMessage(Request):
    """Absent leaves a thing as it is."""

    expected_version: int
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)] | None = None
    send_at: AwareDatetime | None = None
    despite: bool | None = None


class CancelPlannedMessage(Request):
    """`gives_back`: its words are your draft then."""

    gives_back: bool = True
    writer: Writer = ""


class CancelledMessage(Answer):
    planned: PlannedView
    draft: DraftView | None


class Writing(Answer):
    """What is being written in a conversation: your own draft (also without words, for its version), what colleagues have
    begun, and what goes out later."""

    mine: DraftView | None
    others: list[DraftView]
    planned: list[PlannedView]


class Transfer(Request):
    """To an agent or to a queue, never both. `note` is left for whoever takes it on."""

    agent_id: int | None = None
    queue_id: int | None = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] | None = None


class Claim(Request):
    """`expected_assignee_id`: who the claimer saw it assigned to; null for nobody. If that is no longer so: 409."""

    expected_assignee_id: int | None = None


class Park(Request):
    """Put aside until this instant, 90 days ahead at most."""

    until: datetime


class ChangeRouting(Request):
    """Absent leaves a thing as it is. `priority` counts in minutes of waiting; `pinned_agent_id` chooses who shall have
    waiting work, null takes that back."""

    priority: Annotated[int, Field(ge=-60, le=600)] | None = None
    pinned_agent_id: int | None = None


class WhyCandidate(Answer):
    """Somebody who may be offered the work, with what the choice looks at. `skill` is the sum of their levels in all that
    is required or wished; `rank` that of the queue among theirs."""

    agent_id: int
    name: str
    rank: int
    wishes_met: int
    load: int
    idle_s: float
    skill: int


class WhyAgent(Answer):
    agent_id: int
    name: str


class WhyFiltered(Answer):
    """Those who may not be offered it for one reason (docs/routing.md lists the words): how many, and who. What colleagues
    can do, and what they let pass, is told to supervisors by name; of these an agent is told the number, and oneself."""

    reason: str
    count: int
    agents: list[WhyAgent]


class Explanation(Answer):
    """Why a piece of work goes where it goes, or why to nobody. `candidates`: the best few, best first, of
    `candidate_count`. `score_s`: seconds waited and what priorities are worth. `insisted`: wishes that are still hard,
    `relaxed`: those that only rank."""

    rule: str
    rule_version: int
    waited_s: float
    score_s: float
    is_overdue: bool
    is_pinned: bool
    is_unservable: bool
    queue_ids: list[int]
    chosen_agent_id: int | None
    candidates: list[WhyCandidate]
    candidate_count: int
    filtered: list[WhyFiltered]
    insisted: list[str]
    relaxed: list[str]


class WhyOffer(Answer):
    """An offer there was. `explanation` is null for those made before such records were kept."""

    offer_id: int
    agent_id: int
    agent_name: str
    offered_at: datetime
    ended_at: datetime | None
    outcome: OfferOutcome | None
    explanation: Explanation | None


class WhyConversation(Answer):
    """`now`: what would be decided at this moment (null when the work does not wait); `offers`: those there were, newest
    first."""

    conversation_id: int
    now: Explanation | None
    offers: list[WhyOffer]


class NewConversation(Request):
    """The hub writes first: on this channel account to this contact point (one open conversation each: an open one is
    used again; by mail a new one with its own `subject`). `text`: sent at once."""

    channel_id: str
    contact_point_id: int
    subject: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] | None = None
    text: Text | None = None


class SettleDelivery(Request):
    """What the agent decides about a message whose fate is unknown or that failed."""

    action: Literal["retry", "discard"]


class MailSpan(Answer):
    kind: SpanKind
    text: str


class MailDetail(Answer):
    """All there is to a mail. The texts of the spans, joined, are its whole text; `remote_images` counts pictures that its
    HTML would load from elsewhere."""

    entry_id: int
    message_id: str | None
    subject: str
    senders: list[Mailbox]
    reply_to: list[Mailbox]
    to: list[Mailbox]
    cc: list[Mailbox]
    bcc: list[Mailbox]
    sent_at: datetime | None
    size_bytes: int | None
    noise: Noise
    fault: str | None
    spans: list[MailSpan]
    has_html: bool
    has_raw: bool
    remote_images: int


class CustomerCard(Answer):
    """A customer with all conversations the card lists, newest first, and who else is looking."""

    customer: CustomerView
    conversations: list[ConversationView]
    viewer_ids: list[int]


class TimelinePage(Answer):
    """Entries oldest first; `next_cursor` pages back in time. `conversations` are those the entries belong to.
    `newer_cursor`: of a page around an entry, or onwards from one, where what is newer begins."""

    items: list[EntryView]
    next_cursor: str | None = None
    newer_cursor: str | None = None
    conversations: list[ConversationView] = []


# --- customers --------------------------------------------------------------------------------------------------------


# What a card line holds is checked where it is read (domain.card), in words.
CardLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)]
# By the keys of custom fields; null takes a value away. Checked where they are read (domain.fields).
FieldValues = Annotated[
    dict[Annotated[str, StringConstraints(max_length=60)], FieldValue | None], Field(max_length=100)
]


class CardFacts(Request):
    """What stands on a card. Absent is left alone; so is null, but for `language`, `owner_id` and `preferred_channel`, which
    it empties. The others are emptied by an empty text. `country`: ISO 3166-1 alpha-2; `time_zone`: an IANA name; `birthday`:
    1990-05-17, or --05-17 without its year."""

    name: Name | None = None
    language: Annotated[str, StringConstraints(max_length=20)] | None = None
    note: Annotated[str, StringConstraints(max_length=4_000)] | None = None
    tier: Annotated[int, Field(ge=0, le=3)] | None = None
    owner_id: int | None = None
    preferred_channel: Literal["sms", "phone", "email", "chat"] | None = None
    company: CardLine | None = None
    job_title: CardLine | None = None
    country: CardLine | None = None
    region: CardLine | None = None
    town: CardLine | None = None
    district: CardLine | None = None
    street: CardLine | None = None
    postcode: CardLine | None = None
    time_zone: CardLine | None = None
    birthday: CardLine | None = None
    source: CardLine | None = None
    tags: Annotated[list[CardLine], Field(max_length=100)] | None = None
    fields: FieldValues = {}


class SeenFacts(CardFacts):
    """What the writer saw, as far as they changed it."""

    # An unnamed card is seen as it is.
    name: Annotated[str, StringConstraints(max_length=1_000)] | None = None


class UpdateCustomer(CardFacts):
    """Two edits of different facts are both kept, and tags are merged one by one. With `seen`, a fact that says something
    else by now is a 409 `field_conflict` that names it; with `expected_version`, any change of the card is a 409
    `version_conflict`."""

    seen: SeenFacts | None = None
    expected_version: int | None = None


# What is no number or mailbox is refused where it is read, in words.
Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)]


class NewCustomer(CardFacts):
    """`phone` and `email` are the first addresses."""

    name: Name
    phone: Address | None = None
    email: Address | None = None


class NewContactPoint(Request):
    """A handle is `network:name` (telegram:ani): telegram, instagram, facebook, messenger, x, tiktok, linkedin, youtube."""

    kind: Literal["phone", "email", "handle"]
    address: Address
    label: Label = ""


class UpdateContactPoint(Request):
    """Absent and null leave a thing as it is. `address` corrects a typing mistake; 409 `verified` if the customer has written
    from there."""

    label: Label | None = None
    is_main: bool | None = None
    address: Address | None = None


class SetConsent(Request):
    """What a customer said to somebody, or wrote on a form, about one address, channel and purpose."""

    contact_point_id: int
    channel: Literal["sms", "phone", "email", "chat", "loopback"]
    purpose: Purpose = Purpose.SERVICE
    given: bool
    how: Literal["told", "form", "import"] = "told"
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """Whoever might be the person that is being added. `may_open`: you may look at the card. `address`: by which they are
    known, if it is the same; null: the name is alike."""

    id: int
    name: str
    may_open: bool
    address: str | None


@dataclass(frozen=True, slots=True)
class CardWords:
    """What stands on other cards, most frequent first: to be offered while one types."""

    sources: list[str]
    tags: list[str]


# --- customers by file ------------------------------------------------------------------------------------------------------


class ImportColumnIn(Request):
    """Column `column` (from 0) is `target` (GET /customer-imports/targets, or `field.KEY`); an address from there is called
    `label`."""

    column: Annotated[int, Field(ge=0, le=10_000)]
    target: Annotated[str, StringConstraints(max_length=60)]
    label: Label = ""


class ImportOptionsIn(Request):
    """`duplicates`: what becomes of a line whose customer is known: `skip` it, `fill` in what is empty, or `overwrite`.
    `day_first`: 03/04/1990 is in April. `region`: two letters of the country by whose rules phone numbers without + are read;
    empty: as the channels say. `system`: whose ids `external_id` holds. `tags`: given to all."""

    duplicates: Duplicates = Duplicates.SKIP
    day_first: bool = True
    region: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2)] = ""
    system: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] = "import"
    tags: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=100)] = []


class MapImport(Request):
    mapping: Annotated[list[ImportColumnIn], Field(max_length=500)]
    options: ImportOptionsIn
    expected_version: int


class ImportColumn(Answer):
    column: int
    target: str
    label: str


class ImportOptions(Answer):
    duplicates: Duplicates
    day_first: bool
    region: str
    system: str
    tags: list[str]


class CustomerImport(Answer):
    """`columns`: its headings; `sample`: its first lines, cells cut short. `fault`: why it failed. `is_forgotten`: the file
    is gone, the counts are what is left. `may_resume`: it failed, and its file is there: it can be started again, and goes on
    where it stood (tried again, where `started_at` is null). `by_name` null: the command line."""

    id: int
    progress: ImportProgressView
    file_name: str
    size_bytes: int
    encoding: str
    delimiter: str
    columns: list[str]
    sample: list[list[str]]
    mapping: list[ImportColumn]
    options: ImportOptions
    fault: str | None
    is_forgotten: bool
    may_resume: bool
    by_name: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RefusedImportLine(Answer):
    """`line`: its row in a spreadsheet, the headings are row 1. `faults`: heading → what is wrong."""

    line: int
    faults: dict[str, str]
    cells: list[str]


class ExportColumn(Answer):
    name: str
    heading: str


class ExportCount(Answer):
    count: int


# --- custom fields ------------------------------------------------------------------------------------------------------


class FieldOptionIn(Request):
    key: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)]
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
    active: bool = True


FieldLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class NewCustomField(Request):
    """`key`: by which the API and exports name it; it never changes. `required` is for conversations: they are not resolved
    without it. `editable_by`: this role and those above."""

    subject: Subject
    key: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)]
    name: FieldLine
    kind: FieldKind
    hint: FieldLine = ""
    options: Annotated[list[FieldOptionIn], Field(max_length=500)] = []
    section: FieldLine = ""
    required: bool = False
    editable_by: Role = Role.AGENT


class UpdateCustomField(Request):
    """Absent and null leave a thing as it is. 409 `in_use` for another kind, or an option less, of what has values."""

    name: FieldLine | None = None
    kind: FieldKind | None = None
    hint: FieldLine | None = None
    options: Annotated[list[FieldOptionIn], Field(max_length=500)] | None = None
    section: FieldLine | None = None
    required: bool | None = None
    editable_by: Role | None = None
    active: bool | None = None
    expected_version: int | None = None


class FieldOrder(Request):
    """Fields of one subject, in the order in which forms show them."""

    field_ids: Annotated[list[int], Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class FieldUse:
    """So many cards or conversations have a value; 1000 stands for so many and more."""

    count: int


class SetFields(Request):
    """Values of custom fields by their keys; null takes one away. `seen`: what the writer saw of them."""

    fields: FieldValues
    seen: FieldValues = {}


# --- administration ---------------------------------------------------------------------------------------------------


class BuiltInRole(Answer):
    """One that nobody changes. `allowed`: what a role of one's own that is based on it may hold at most."""

    role: Role
    permissions: list[Permission]
    allowed: list[Permission]
    people: int


class Roles(Answer):
    built_in: list[BuiltInRole]
    own: list[RoleView]


class SaveRole(Request):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    permissions: Annotated[list[Permission], Field(max_length=100)]
    expected_version: int


class NewRole(Request):
    """`base`: what its people see; it stays."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    base: Role
    permissions: Annotated[list[Permission], Field(max_length=100)]


class NewUser(Request):
    """`role`: a built-in one; or `role_id`: one of one's own. Exactly one is wanted, or `role` is the base of the other."""

    email: Email
    name: Name
    role: Role | None = None
    role_id: int | None = None
    password: Password
    queue_ids: list[int] = []
    capacity: Annotated[int, Field(ge=0, le=1000)] = 100


class UpdateUser(Request):
    """`weights`: kind of channel → what a piece of such work costs this person; replaces all that were set. `role` alone is
    the built-in one, `role_id` one of one's own."""

    name: Name | None = None
    role: Role | None = None
    role_id: int | None = None
    active: bool | None = None
    password: Password | None = None
    queue_ids: list[int] | None = None
    capacity: Annotated[int, Field(ge=0, le=1000)] | None = None
    weights: Annotated[dict[ChannelKind, Annotated[int, Field(ge=0, le=1000)]], Field(max_length=10)] | None = None
    # Where they take calls instead of in the browser, as it is dialled (+374…); empty: in the browser.
    desk_phone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)] | None = None
    expected_version: int | None = None


# How long an offer rings: the bounds of the table.
RingTime = Annotated[int, Field(ge=5, le=900)]
# A day is 86,400 s. What waits longer than a month waits for something else than an agent.
Wait = Annotated[int, Field(ge=0, le=31 * 86_400)]


class OverflowIn(Request):
    """When: after so long, while the estimated wait is above so much, or either; at least one is wanted."""

    queue_ids: Annotated[list[int], Field(min_length=1, max_length=20)]
    after_s: Wait | None = None
    ewt_over_s: Wait | None = None


class RequirementIn(Request):
    skill_id: int
    level: Annotated[int, Field(ge=1, le=5)]


# What a call was about, in a word or two.
Disposition = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
Overflows = Annotated[list[OverflowIn], Field(max_length=10)]
# By the kind's word: what is no kind is refused where it is read.
RingTimes = dict[Annotated[str, StringConstraints(max_length=20)], RingTime]
Requirements = Annotated[list[RequirementIn], Field(max_length=20)]


class UpdateQueue(Request):
    """Absent leaves a thing as it is, and so does `null`, but for those that `null` switches off: `language_wish_s`,
    `last_agent_days`, `last_agent_wish_s`, `owner_wish_s`, `calendar_id`, `policy_id`, `recording_days`,
    `caller_channel_id`. Lists and tables replace what there
    was. With `expected_version`, 409 `version_conflict` when somebody changed the queue meanwhile."""

    name: Name | None = None
    offer_timeout_s: RingTime | None = None
    member_ids: list[int] | None = None
    signature: Signature | None = None
    choice: AgentChoice | None = None
    overflow: Overflows | None = None
    makes_room: bool | None = None
    ring_s: RingTimes | None = None
    max_wait_s: Annotated[int, Field(ge=1, le=31 * 86_400)] | None = None
    exclusion_s: Annotated[int, Field(ge=0, le=86_400)] | None = None
    miss_limit: Annotated[int, Field(ge=1, le=100)] | None = None
    release_when_lost: Literal["live", "all"] | None = None
    language_wish_s: Wait | None = None
    last_agent_days: Annotated[int, Field(ge=1, le=366)] | None = None
    last_agent_wish_s: Wait | None = None
    required: Requirements | None = None
    owner_wish_s: Wait | None = None
    # Member's id → rank.
    ranks: Annotated[dict[int, Annotated[int, Field(ge=0, le=9)]], Field(max_length=5_000)] | None = None
    auto_accept: Annotated[list[ChannelKind], Field(max_length=10)] | None = None
    connect_timeout_s: Annotated[int, Field(ge=5, le=300)] | None = None
    calendar_id: int | None = None
    policy_id: int | None = None
    tells_place: bool | None = None
    offers_callback: bool | None = None
    callback_gap_s: Annotated[int, Field(ge=60, le=7 * 86_400)] | None = None
    callback_attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    wrap_up_s: Annotated[int, Field(ge=0, le=3600)] | None = None
    wrap_up_mandatory: bool | None = None
    dispositions: Annotated[list[Disposition], Field(max_length=50)] | None = None
    records_calls: bool | None = None
    recording_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    caller_channel_id: Annotated[str, StringConstraints(max_length=41)] | None = None
    expected_version: int | None = None


class NewQueue(UpdateQueue):
    """What is absent is as usual."""

    name: Name


SkillName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]


class NewSkill(Request):
    """A language is `language:` and its two letters."""

    name: SkillName


class UpdateSkill(Request):
    """Absent leaves it as it is. With `expected_version`, 409 `version_conflict` when somebody changed it meanwhile."""

    name: SkillName | None = None
    expected_version: int | None = None


class SetSkills(Request):
    """Skill's id → level, 1 to 5. Replaces all that the person had. With `expected_version` (that of the row), 409
    `version_conflict` when somebody changed the person meanwhile."""

    expected_version: int | None = None

    levels: Annotated[
        dict[Annotated[str, StringConstraints(max_length=20)], Annotated[int, Field(ge=1, le=5)]],
        Field(max_length=500),
    ]


class AgentSkills(Answer):
    """A row of the matrix; `levels`: skill's id → level. A skill that is not named is not there."""

    user_id: int
    name: str
    levels: dict[int, int]
    version: int


class SkillMatrix(Answer):
    skills: list[SkillView]
    agents: list[AgentSkills]


Kinds = Annotated[list[ChannelKind], Field(max_length=10)]


class SetInterruptions(Request):
    """`interrupts`: kind of work → kinds whose load does not stand in its way; `exclusive`: kinds that suffer no other live
    work beside them. Replaces what was set."""

    interrupts: Annotated[dict[ChannelKind, Kinds], Field(max_length=10)]
    exclusive: Kinds


class InterruptionRules(Answer):
    interrupts: dict[ChannelKind, list[ChannelKind]]
    exclusive: list[ChannelKind]


class Interruptions(InterruptionRules):
    """The rules in force, and the usual ones."""

    usual: InterruptionRules


# A day is 86,400 s; a year is enough for anybody to remember what it was about.
ReopenWindow = Annotated[int, Field(ge=0, le=366 * 86_400)]


class NewChannel(Request):
    """`settings` and `secrets` depend on the kind; GET /channel-kinds lists them with their descriptions. A customer
    who writes within `reopen_window_s` of the resolution reopens the conversation; later, a new one begins."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    kind: Literal["sms", "email", "chat", "phone", "loopback"]
    # Of a telephone line: which of those that GET /channel-kinds lists.
    provider: Annotated[str, StringConstraints(max_length=40)] = ""
    # Of a telephone line: what callers hear first (null: nothing but the queue).
    flow_id: int | None = None
    name: Name
    queue_id: int
    settings: Values = {}
    secrets: Values = {}
    default_region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    reopen_window_s: ReopenWindow | None = None


class UpdateChannel(Request):
    """`null` or absent leaves a thing as it is, but for `flow_id`: null is no menu. `settings` replaces all settings;
    `secrets` replaces those it names and leaves the others, an empty text removes one."""

    name: Name | None = None
    queue_id: int | None = None
    enabled: bool | None = None
    settings: Values | None = None
    secrets: Values | None = None
    default_region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    reopen_window_s: ReopenWindow | None = None
    flow_id: int | None = None


class ChannelDetail(Answer):
    """What an administrator sees: settings, which secrets are set (never their values), the webhook addresses to enter
    at the provider, and the line that puts a chat into a web page (None for other kinds)."""

    channel: ChannelView
    settings: dict[str, str]
    secrets_set: list[str]
    webhook_urls: dict[str, str]
    embed: str | None
    default_region: str | None
    reopen_window_s: int


class WidgetField(Request):
    """What a form asks. `options`: of a topic."""

    name: Literal["name", "email", "phone", "topic", "question"]
    required: bool = False
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    options: Annotated[
        list[Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]], Field(max_length=100)
    ] = []


class WidgetOffline(Request):
    """What happens when nobody is there. `channel_id`: the mail account that takes what is left. `when`: closed, outside the
    queue's hours; away, then and whenever no agent of the queue is there."""

    enabled: bool = False
    channel_id: Annotated[str, StringConstraints(max_length=200)] = ""
    when: Literal["closed", "away"] = "away"
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""


class SaveChatWidget(Request):
    """A chat's window whole. Texts that are empty are the widget's own, in the visitor's language. `expected_version`: of the
    channel, as it was seen."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    greeting: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = ""
    colour: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20)] = ""
    position: Literal["right", "left"] = "right"
    scheme: Literal["auto", "light", "dark"] = "auto"
    launcher: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    form_enabled: bool = False
    intro: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    fields: Annotated[list[WidgetField], Field(max_length=10)] = []
    offline: WidgetOffline = WidgetOffline()
    expected_version: int


class WidgetFieldView(Answer):
    """What a form asks, as it is set up."""

    name: Literal["name", "email", "phone", "topic", "question"]
    required: bool
    label: str
    options: list[str]


class WidgetOfflineView(Answer):
    """What happens when nobody is there, as it is set up."""

    enabled: bool
    channel_id: str
    when: Literal["closed", "away"]
    text: str


class ChatWidget(Answer):
    """A chat's window as it is set up. `embed`: the line that puts it into a web page."""

    channel_id: str
    name: str
    title: str
    greeting: str
    colour: str
    position: Literal["right", "left"]
    scheme: Literal["auto", "light", "dark"]
    launcher: str
    form_enabled: bool
    intro: str
    fields: list[WidgetFieldView]
    offline: WidgetOfflineView
    allowed_origins: list[str]
    has_identity_secret: bool
    embed: str
    version: int


class IdentitySecret(Answer):
    """The secret by which the shop's own server signs who is signed in, shown here and never again."""

    secret: str


class SignInAddress(Answer):
    """The provider's page where an administrator lets the hub into a mailbox."""

    url: str


class ChannelField(Answer):
    """One setting or secret of a kind of channel, as a form asks for it. `pattern` is matched against the whole
    value. With `options` it is a choice; fields of one `group` stand together under that heading."""

    name: str
    label: str
    help: str
    required: bool
    secret: bool
    example: str
    pattern: str | None
    options: list[str]
    group: str
    multiline: bool


class ChannelKindInfo(Answer):
    """A kind of channel that can be set up, and what it must be told. `webhooks` are the addresses it listens on."""

    kind: ChannelKind
    provider: str
    label: str
    description: str
    fields: list[ChannelField]
    webhooks: list[str]


class NewApiKey(Request):
    name: Name
    role: Role = Role.AGENT


class ApiKey(Answer):
    id: int
    name: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    hint: str


class IssuedApiKey(ApiKey):
    """`token` is shown this once; only its hash is kept."""

    token: str


class SetAgentState(Request):
    """A supervisor changes an agent's state."""

    state: Literal["available", "busy", "away", "offline"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] | None = None


# --- business hours ---------------------------------------------------------------------------------------------------


# What is no time, date or zone is refused where calendars are read, in words.
ClockText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10)]
HoursIn = Annotated[list[tuple[ClockText, ClockText]], Field(max_length=24)]


class SpecialDayIn(Request):
    """A date with hours of its own; none: closed."""

    day: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20)]
    hours: HoursIn = []
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    source: Annotated[str, StringConstraints(pattern=r"^[a-z]+(:[A-Za-z0-9-]+)?$", max_length=60)] = "manual"


class NewCalendar(Request):
    """`week`: seven days, Monday first, each with its hours; past midnight is written like 26:00. Where several special
    days name one date, the first holds."""

    name: Name
    zone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)]
    week: Annotated[list[HoursIn], Field(max_length=31)]
    # A public calendar of fifty years has some thousand.
    special: Annotated[list[SpecialDayIn], Field(max_length=2_000)] = []


class SaveCalendar(NewCalendar):
    """With `expected_version`, 409 `version_conflict` when somebody changed the calendar meanwhile."""

    expected_version: int | None = None


class ReadIcal(Request):
    """The whole-day events of a file from `first` to `last` (at most 50 years)."""

    model_config = ConfigDict(str_max_length=1_000_000)

    ical: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
    first: date
    last: date


class IcalDays(Answer):
    """`skipped`: names of events that are no whole days, or recur in a way that is not guessed at."""

    days: list[SpecialDayView]
    skipped: list[str]


class CountryHolidays(Request):
    """`country` by its two letters (ISO 3166-1)."""

    country: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2}$")]
    subdivision: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)] | None = None
    years: Annotated[list[Annotated[int, Field(ge=2000, le=2100)]], Field(min_length=1, max_length=20)]


class HolidayDays(Answer):
    days: list[SpecialDayView]


class HolidayCountry(Answer):
    code: str
    subdivisions: list[str]


# --- rules that place new work ----------------------------------------------------------------------------------------


Ids = Annotated[list[int], Field(max_length=200)]
Phrases = Annotated[
    list[Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]], Field(max_length=200)
]


class RuleHoursIn(Request):
    calendar_id: int
    open: bool


class RuleWordsIn(Request):
    """Words and phrases, whatever their case; a word with `*` at its end stands for all that begin so. `any`: at least one
    of these; `all`: every one; `none`: not one."""

    any: Phrases = []
    all: Phrases = []
    none: Phrases = []
    where: Literal["text", "subject", "both"] = "both"


class RuleConditionsIn(Request):
    """All that are given must hold; none: every new conversation."""

    channel_ids: Annotated[list[Annotated[str, StringConstraints(max_length=60)]], Field(max_length=200)] | None = None
    kinds: Annotated[list[ChannelKind], Field(max_length=10)] | None = None
    hours: RuleHoursIn | None = None
    words: RuleWordsIn | None = None
    languages: Annotated[list[Annotated[str, StringConstraints(max_length=20)]], Field(max_length=50)] | None = None
    tier_at_least: int | None = None
    is_known: bool | None = None
    topic_ids: Ids | None = None
    sender_domains: Annotated[list[Annotated[str, StringConstraints(max_length=254)]], Field(max_length=200)] | None = (
        None
    )


class RuleEffectsIn(Request):
    """At least one. `auto_reply` may name {name}, {number} and, in a rule with hours that are closed, {opens}."""

    queue_id: int | None = None
    priority: int | None = None
    required: Annotated[list[RequirementIn], Field(max_length=20)] | None = None
    tags: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=50)] | None = None
    topic_id: int | None = None
    auto_reply: Annotated[str, StringConstraints(strip_whitespace=True, max_length=5_000)] | None = None


class RuleIn(Request):
    """`id` is made by the client and kept for ever."""

    id: Annotated[str, StringConstraints(max_length=100)]
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
    enabled: bool = True
    when: RuleConditionsIn = RuleConditionsIn()
    then: RuleEffectsIn = RuleEffectsIn()


class TryRules(Request):
    """On conversations that began within so many days, the newest first."""

    mode: Literal["first", "all"]
    rules: Annotated[list[RuleIn], Field(max_length=500)]
    days: Annotated[int, Field(ge=1, le=90)] = 30
    limit: Annotated[int, Field(ge=1, le=5_000)] = 1_000


class NewRules(Request):
    """Becomes a new version, which is not in force. `expected_version`: the latest that was seen (null: none); if there is
    another by now, 409 `version_conflict`."""

    mode: Literal["first", "all"]
    rules: Annotated[list[RuleIn], Field(max_length=500)]
    expected_version: int | None = None


class RuleSetView(Answer):
    """`faults`: `rules.2.then.queue_id` → what it names is there no longer; such a rule is passed over."""

    version: int
    mode: Literal["first", "all"]
    rules: list[Rule]
    created_by: int | None
    created_at: datetime
    activated_at: datetime | None
    active: bool
    faults: dict[str, str]


class RuleSetVersion(Answer):
    version: int
    created_by: int | None
    created_at: datetime
    activated_at: datetime | None
    active: bool


class ActivateRules(Request):
    """With `expected_active_version` (null: none is in force), 409 `version_conflict` if somebody switched meanwhile."""

    expected_active_version: int | None = None


class RulesOverview(Answer):
    """`versions`: the newest first, 100 at most."""

    active: RuleSetView | None
    latest: RuleSetView | None
    versions: list[RuleSetVersion]


class RulePlacement(Answer):
    """Where a conversation stands, or would."""

    queue_id: int
    priority: int
    required: list[RequirementView]
    tags: list[str]
    topic_id: int | None
    # Whom the topic's work is pinned to.
    owner_id: int | None
    has_auto_reply: bool


class RuleExample(Answer):
    """A past conversation that would have been placed otherwise. `before`: how it was placed when it began. `notes`:
    machine words for what the trial cannot know (docs/routing.md)."""

    conversation_id: int
    customer_name: str
    customer_is_erased: bool
    created_at: datetime
    preview: str
    matched: list[str]
    before: RulePlacement
    after: RulePlacement
    notes: list[str]


class RuleCount(Answer):
    rule_id: str
    matched: int


class RuleTrial(Answer):
    """`looked_at` past conversations, of which `changed` would have been placed otherwise; the newest of them are shown."""

    looked_at: int
    changed: int
    by_rule: list[RuleCount]
    examples: list[RuleExample]


# --- what it is about ---------------------------------------------------------------------------------------------------


class NewTopic(Request):
    """`queue_id` and `owner_id`: the department and the person who handle such matters; `policy_id` goes before the
    queue's escalation policy. A complaint stays in sight until it is solved."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    is_complaint: bool = False
    queue_id: int | None = None
    owner_id: int | None = None
    policy_id: int | None = None


class UpdateTopic(Request):
    """Absent leaves a thing as it is, and so does `null`, but for those that `null` switches off: `queue_id`, `owner_id`,
    `policy_id`. A topic is switched off (`active`), never removed. 409 `version_conflict` with an `expected_version` that
    is no longer so."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)] | None = None
    is_complaint: bool | None = None
    queue_id: int | None = None
    owner_id: int | None = None
    policy_id: int | None = None
    active: bool | None = None
    expected_version: int | None = None


class SetTopic(Request):
    """What a conversation is about; null: nothing in particular. `direct`: also work that somebody holds is passed on to
    the department and person of the topic; work that waits always is."""

    topic_id: int | None
    direct: bool = False


class SetTags(Request):
    """Replaces all tags. With `seen`, those that the screen showed, only what differs from it is done: two who tag at once
    both find their tags."""

    tags: Annotated[
        list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]],
        Field(max_length=MOST_TAGS),
    ]
    seen: Annotated[list[Annotated[str, StringConstraints(max_length=50)]], Field(max_length=MOST_TAGS)] | None = None


# --- escalation ---------------------------------------------------------------------------------------------------------


class RaisePriorityAction(Answer):
    kind: Literal["raise_priority"]
    minutes: Annotated[int, Field(ge=1, le=10_000)]


class WidenSkillsAction(Answer):
    """Lower every required skill by so many levels."""

    kind: Literal["widen_skills"]
    levels: Annotated[int, Field(ge=1, le=5)]


class MoveToQueueAction(Answer):
    kind: Literal["move_to_queue"]
    queue_id: int


class NotifyUserAction(Answer):
    kind: Literal["notify_user"]
    user_id: int


class NotifyRoleAction(Answer):
    """Everybody of that role among the queue's people."""

    kind: Literal["notify_role"]
    role: Role


class AssignToAction(Answer):
    kind: Literal["assign_to"]
    user_id: int


class PageSupervisorAction(Answer):
    kind: Literal["page_supervisor"]


class TagAction(Answer):
    kind: Literal["tag"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=50)]


class AutoReplyAction(Answer):
    kind: Literal["auto_reply"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=1_600)]


EscalationAction = Annotated[
    RaisePriorityAction
    | WidenSkillsAction
    | MoveToQueueAction
    | NotifyUserAction
    | NotifyRoleAction
    | AssignToAction
    | PageSupervisorAction
    | TagAction
    | AutoReplyAction,
    Field(discriminator="kind"),
]


class EscalationStep(Answer):
    """`id` is made by the client (random, 8 characters or more) and kept for ever: a step is known by it through all
    versions. `after_s`, or `share` of the clock's target: exactly one. `in_states`: the clock counts for this step only
    in these; empty: in all."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    clock: Clock
    after_s: float | None
    share: float | None
    in_states: list[WorkState]
    actions: list[EscalationAction]


class PolicyView(Answer):
    """A ladder of steps. `targets`: clock → seconds of business time. `paused_in`: states in which all clocks but `idle`
    stand still."""

    id: int
    name: str
    version: int
    targets: dict[Clock, float]
    paused_in: list[WorkState]
    steps: list[EscalationStep]


class NewPolicy(Request):
    """Every fault is named by its field, as `steps.2.actions.0.queue_id`. Of a step `in_states` and the one of `after_s` and
    `share` that is not meant may be absent."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    # What is in them is read by routing.escalation, which names each fault in the same words wherever it comes from.
    targets: SkipValidation[dict[Clock, float]] = {}
    paused_in: SkipValidation[list[WorkState]] = []
    steps: SkipValidation[list[EscalationStep]]


class UpdatePolicy(NewPolicy):
    """Replaces all. 409 `version_conflict` if somebody changed it meanwhile."""

    expected_version: int


class PolicyName(Answer):
    id: int
    name: str
    version: int


class ClockReading(Answer):
    """A clock that runs. `elapsed_s`: business time it shows; `is_paused`: it stands still in the present state or out of
    hours."""

    clock: Clock
    elapsed_s: float
    target_s: float | None
    started_at: datetime
    is_paused: bool


class FiredStep(Answer):
    """A step that has fired, newest first. `is_over`: the answer had come by then, so nothing was done. `actions` are
    those of the policy's version of then."""

    step_id: str
    clock: Clock
    run: int
    due_at: datetime
    fired_at: datetime
    is_over: bool
    actions: list[EscalationAction]


class NextStep(Answer):
    step_id: str
    clock: Clock
    due_at: datetime
    actions: list[EscalationAction]


class ConversationEscalation(Answer):
    """Where a conversation stands on its ladder. `policy`: what holds for it, its topic's or its queue's."""

    policy: PolicyName | None
    state: WorkState
    calendar_id: int | None
    clocks: list[ClockReading]
    fired: list[FiredStep]
    next: NextStep | None


# --- the live socket --------------------------------------------------------------------------------------------------


class EventsFrame(Answer):
    """Apply all events in their order, then keep `token`. `prev` must be the token that is held; otherwise resync."""

    prev: str
    token: str
    events: list[Annotated[HubEvent, Field(discriminator="kind")]]


class VolatileFrame(Answer):
    """What is so right now and never replayed."""

    volatile: list[Annotated[VolatileEvent, Field(discriminator="kind")]]


class ResyncFrame(Answer):
    """Drop the token and take a fresh snapshot; the text says why."""

    resync: str


class TickFrame(Answer):
    """The server's time, every ten seconds. Nothing for 25 s: the line is dead."""

    tick: datetime


class WatchingFrame(Answer):
    """The customer card the server takes for open on this screen."""

    watching: int | None


Frame = EventsFrame | VolatileFrame | ResyncFrame | TickFrame | WatchingFrame


__all__ = [
    "AgentState",
    "ContactPointView",
    "ConversationStatus",
]


# --- callbacks ----------------------------------------------------------------------------------------------------------


class NewCallback(Request):
    """Where the customer wants to be called, as it was said: a national number is read by the region of the channels."""

    address: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]


class CallbackOutcome(Request):
    outcome: Literal["reached", "no_answer"]


# --- figures ------------------------------------------------------------------------------------------------------------

ReportBy = Literal["none", "agent", "team", "queue", "channel", "topic"]
MeasureUnit = Literal["count", "seconds", "share", "points"]
ReportGrain = Literal["interval", "day", "week", "month", "total"]


class MeasureParameter(Answer):
    """What a measure may be asked with: one of `choices`, `default` when nothing is said. Asked for by its `name`, as
    `threshold_s=30`."""

    name: str
    default: int | bool
    choices: list[int | bool]


# Which report tells it: GET /reports/figures (of facts, over days), GET /reports/moments (of a moment, kept as it was),
# GET /shifts/adherence.
MeasureReport = Literal["figures", "moments", "adherence"]


class MeasureDefinition(Answer):
    """`source`: the kind of fact it is computed from, or what it is read of; `day_by`: which instant of the fact says to
    which day it belongs (null: it is of no facts). `report`: which one tells it; what is of a moment, moments.
    `clock` wall: every second counts, nights and holidays too; none: the figure only counts. `better`: which way is good;
    null: neither. `by`: whose it can be told of (by=none: of everything together, always). `has_contacts`: the list of
    what is behind a figure of it can be opened (GET /reports/contacts)."""

    id: str
    version: int
    name: str
    formula: str
    unit: MeasureUnit
    clock: Literal["none", "wall", "business"]
    source: str
    day_by: str | None
    better: Literal["higher", "lower"] | None
    by: list[ReportBy]
    has_contacts: bool
    params: list[MeasureParameter]
    report: MeasureReport


# --- calls --------------------------------------------------------------------------------------------------------------

# As it is written: +374…, or as people of the organisation's region dial it.
PhoneNumber = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=40)]
TransferNote = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]


class NewCall(Request):
    """Exactly one of `contact_point_id` and `conversation_id`. `channel_id`: by which line (null: your queue's)."""

    contact_point_id: int | None = None
    conversation_id: int | None = None
    channel_id: Annotated[str, StringConstraints(max_length=41)] | None = None


class LineOffer(Request):
    # An offer with audio alone has some 3 kB, with all candidates of a machine with many networks some 10.
    sdp: Annotated[str, StringConstraints(min_length=10, max_length=64_000)]


class LineAnswer(Answer):
    sdp: str


class BrowserToken(Answer):
    token: str


class Hold(Request):
    held: bool


class Mute(Request):
    muted: bool


class SetRecording(Request):
    recording: Literal["on", "paused"]


class CallTransfer(Request):
    """Exactly one of the three targets."""

    agent_id: int | None = None
    queue_id: int | None = None
    number: PhoneNumber | None = None
    note: TransferNote | None = None


class Consult(Request):
    agent_id: int | None = None
    number: PhoneNumber | None = None


class WrapUp(Request):
    disposition: Disposition | None = None
    note: TransferNote | None = None
    done: bool = False
    keep_open: bool = False


class Supervise(Request):
    presence: Literal["listen", "whisper", "talk"]


# --- what callers hear ------------------------------------------------------------------------------------------------


class FlowSpoken(Answer):
    """A text that is spoken in `language`, or an uploaded sound; `text` beside a sound is for lines that do not have it."""

    text: str
    language: str
    sound_id: int | None


class FlowChoice(Answer):
    """`words`: what a caller may say instead, where the line hears words. `label`: what the agent sees. `to`: a node's id."""

    key: str
    label: str
    words: list[str]
    to: str


class FlowLanguageChoice(Answer):
    key: str
    language: str
    to: str


class FlowMenuNode(Answer):
    """`otherwise`: for whoever has chosen nothing after `tries`."""

    kind: Literal["menu"]
    title: str
    said: list[FlowSpoken]
    choices: list[FlowChoice]
    tries: int
    timeout_s: int
    otherwise: str


class FlowLanguageNode(Answer):
    kind: Literal["language"]
    title: str
    said: list[FlowSpoken]
    choices: list[FlowLanguageChoice]
    tries: int
    timeout_s: int
    otherwise: str


class FlowHoursNode(Answer):
    kind: Literal["hours"]
    title: str
    calendar_id: int | None
    open: str
    closed: str


class FlowSayNode(Answer):
    kind: Literal["say"]
    title: str
    said: list[FlowSpoken]
    next: str


class FlowQueueNode(Answer):
    """`else`: for whoever has waited `after_s` (null: they wait for as long as it takes)."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    kind: Literal["queue"]
    title: str
    said: list[FlowSpoken]
    queue_id: int | None
    after_s: int | None
    otherwise: str | None = Field(alias="else")


class FlowVoicemailNode(Answer):
    """`queue_id`: whose work the message is (null: of the line's own queue)."""

    kind: Literal["voicemail"]
    title: str
    said: list[FlowSpoken]
    queue_id: int | None
    limit_s: int


class FlowCallbackNode(Answer):
    """`otherwise`: for whoever hides their number."""

    kind: Literal["callback"]
    title: str
    said: list[FlowSpoken]
    queue_id: int | None
    otherwise: str


class FlowNumberNode(Answer):
    """`otherwise`: when nobody answers there."""

    kind: Literal["number"]
    title: str
    said: list[FlowSpoken]
    number: str
    ring_s: int
    otherwise: str


class FlowHangUpNode(Answer):
    kind: Literal["hang_up"]
    title: str
    said: list[FlowSpoken]


FlowNode = Annotated[
    FlowMenuNode
    | FlowLanguageNode
    | FlowHoursNode
    | FlowSayNode
    | FlowQueueNode
    | FlowVoicemailNode
    | FlowCallbackNode
    | FlowNumberNode
    | FlowHangUpNode,
    Field(discriminator="kind"),
]


class FlowBody(Answer):
    """A small tree: nodes by their ids, `start` names the first. `language` is assumed of callers of whom none is known. In
    requests whatever has a usual value may be absent."""

    start: str
    language: str
    nodes: dict[str, FlowNode]


class FlowLine(Answer):
    """A line whose callers hear the menu first."""

    id: str
    name: str


class FlowView(Answer):
    """`missing`: what the menu names and is not there any more, field → words."""

    id: int
    name: str
    version: int
    body: FlowBody
    lines: list[FlowLine]
    missing: dict[str, str]


FlowName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]


class NewFlow(Request):
    """Every fault is named at its node, as `body.nodes.main.choices.1.key`."""

    name: FlowName
    # What is in it is read by calls.flow, which names each fault in the same words wherever it comes from.
    body: SkipValidation[FlowBody]


class UpdateFlow(Request):
    name: FlowName | None = None
    body: SkipValidation[FlowBody] | None = None
    expected_version: int | None = None


class CheckFlow(Request):
    body: SkipValidation[FlowBody]


class FlowFaults(Answer):
    """Field → what is wrong with it, as in a 422; empty: it can be saved."""

    fields: dict[str, str]


class TryFlow(Request):
    """`steps`: what the caller does, one after the other: a key, `silence` (presses nothing in time), `wait` (for as long
    as the queue's node says), `no_answer` (nobody answers at the number). `at`: when they call (null: now). `language`: the
    caller's, if it is known."""

    steps: Annotated[list[Annotated[str, StringConstraints(max_length=20)]], Field(max_length=100)] = []
    at: AwareDatetime | None = None
    language: Annotated[str, StringConstraints(max_length=35)] = ""
    hides_number: bool = False


class TryFlowBody(TryFlow):
    body: SkipValidation[FlowBody]


class HeardPrompt(Answer):
    """`phrase`: it is one of the hub's own sentences."""

    text: str
    language: str
    sound_id: int | None
    phrase: str


class HeardStep(Answer):
    """Where a caller is, and what they hear there. `keys` of an `ask`; `queue_id` of a queue, a voicemail or a callback
    (null: the line's own); `after_s` of a queue that leads on; `limit_s` of a voicemail; `number` and `ring_s` of one."""

    node: str
    kind: Literal["ask", "tell", "queue", "voicemail", "callback", "number", "hang_up"]
    said: list[HeardPrompt]
    language: str
    chosen: list[str]
    keys: list[str] = []
    queue_id: int | None = None
    after_s: int | None = None
    limit_s: int | None = None
    number: str | None = None
    ring_s: int | None = None


class FlowTrial(Answer):
    """All that the caller hears, in its order; they are at the last."""

    heard: list[HeardStep]


class SoundView(Answer):
    """`used_by`: the menus that say it, by name."""

    id: int
    name: str
    language: str
    media_type: str
    size_bytes: int
    duration_s: float
    created_at: datetime
    used_by: list[str]


class RecordingPlay(Answer):
    """Somebody has heard a recording."""

    user_id: int
    name: str
    at: datetime


class RecordingDetail(Answer):
    """`peaks`: how loud it is, for each channel at most 400 numbers from 0 to 100, the customer's first; null while it is not
    known. `goes_at`: when it will be deleted, as its queue says today; null: never. `plays`: the newest first, for
    supervisors; null for everybody else."""

    recording: RecordingView
    media_type: str | None
    size_bytes: int | None
    peaks: list[list[int]] | None
    goes_at: datetime | None
    deleted_at: datetime | None
    deleted_by_name: str | None
    plays: list[RecordingPlay] | None


class QueueRecordings(Answer):
    """What is stored of a queue's calls (`queue_id` null: of calls that came to no queue)."""

    queue_id: int | None
    count: int
    size_bytes: int
    duration_s: float
    oldest_at: datetime | None


class RecordingSettings(Answer):
    """`recordings_for_agents`: own (of calls they took part in), seen (of all conversations they may see) or none.
    `store`: the directory of this hub's files, or a bucket (`store_url`). `fetching`: still with the provider, `troubled` of
    them by what was wrong at the last try; `failed` by reason. `leaving`: of so many a copy is still to be removed."""

    recordings_for_agents: Literal["own", "seen", "none"]
    store: Literal["directory", "bucket"]
    store_url: str
    queues: list[QueueRecordings]
    fetching: int
    troubled: dict[str, int]
    failed: dict[str, int]
    leaving: int


class SetRecordings(Request):
    recordings_for_agents: Literal["own", "seen", "none"]


# --- teams, targets, and limits that are watched ------------------------------------------------------------------------

Zone = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
Scope = Literal["all", "queue", "team", "agent"]
# A figure's bound: finite, and small enough to be written down.
Bound = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
MeasureId = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class NewTeam(Request):
    """`time_zone`: an IANA name; null: the organisation's."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    time_zone: Zone | None = None
    leaderboard: bool = True
    member_ids: Annotated[list[int], Field(max_length=5_000)] = []


class SaveTeam(NewTeam):
    """The team whole. `expected_version`: what was seen."""

    time_zone: Zone | None
    leaderboard: bool
    member_ids: Annotated[list[int], Field(max_length=5_000)]
    expected_version: int


class Belonging(Answer):
    """`until` null: still."""

    user_id: int
    since: datetime
    until: datetime | None


class SaveTarget(Request):
    """`scope_id`: which queue, team or agent; null for all. `warning`: the worst that is no worse than a warning."""

    measure: MeasureId
    scope: Scope
    scope_id: int | None = None
    target: Bound
    warning: Bound | None = None


class SaveFigureDefaults(Request):
    service_level: MeasureId
    threshold_s: int
    short_s: int
    expected_version: int


# --- staffing -----------------------------------------------------------------------------------------------------------

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
HandleSeconds = Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)]
Concurrency = Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)]
Shrinkage = Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False)]


class WhatIf(Request):
    """`contacts` come in `interval_s` and take `aht_s` each; `patience_s` null: customers wait for ever (Erlang C), else they
    hang up after so long on average (Erlang A). Targets that are null do not count; one at least must be there. `agents`:
    how many there are, to see what they make of it; null: as many as are required."""

    contacts: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
    interval_s: Annotated[int, Field(ge=60, le=86_400)] = 900
    aht_s: HandleSeconds
    patience_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] | None = None
    concurrency: Concurrency = 1
    service_level: Share | None = 0.8
    within_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 20
    asa_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    abandonment: Share | None = None
    occupancy: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    shrinkage: Shrinkage = 0
    agents: Annotated[int, Field(ge=0, le=MAX_AGENTS)] | None = None


class StaffedFigures(Answer):
    """What so many agents make of the load. Shares are 0 to 1. `is_stable` false: the queue grows without end, and `asa_s` is
    null; it is null, too, if nobody is answered. `reaches`: all targets hold."""

    agents: int
    scheduled: int
    is_stable: bool
    waiting_probability: float
    service_level: float
    asa_s: float | None
    abandonment: float
    occupancy: float
    reaches: bool


class WhatIfAnswer(Answer):
    """`required` null: more than 2,000 agents. `scheduled`: required with shrinkage. `figures`: of `agents`, or of those that
    are required; null if neither is known. `table`: of the numbers of agents around them."""

    model: Literal["erlang_c", "erlang_a"]
    erlangs: float
    required: int | None
    scheduled: int | None
    figures: StaffedFigures | None
    table: list[StaffedFigures]


class StaffingPlanView(Answer):
    """What a queue is staffed for. `aht_s` null: as it was lately; `patience_s` null: without end; `occupancy` null: any.
    `recent_aht_s`, `recent_patience_s`: of the last four weeks, null if nothing was handled or nobody hung up. `version` 0:
    nobody has said anything yet, these are the defaults."""

    queue_id: int
    service_level: float
    within_s: int
    occupancy: float | None
    shrinkage: float
    aht_s: float | None
    patience_s: float | None
    concurrency: int
    version: int
    recent_aht_s: float | None
    recent_patience_s: float | None


class SaveStaffingPlan(Request):
    """`expected_version`: that of the plan which was seen."""

    service_level: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    within_s: Annotated[int, Field(ge=0, le=86_400)]
    occupancy: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    shrinkage: Shrinkage = 0
    aht_s: HandleSeconds | None = None
    patience_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] | None = None
    concurrency: Concurrency = 1
    expected_version: Annotated[int, Field(ge=0)]


class ForecastError(Answer):
    """How far forecasts were off, over `intervals` quarters of an hour in which `contacts` came. `wape`: the sum of the
    absolute errors ÷ contacts; `bias`: (foretold − came) ÷ contacts; null if nothing came. `chance`: the wape that chance
    alone makes, of a forecast that knew the expectation exactly."""

    intervals: int
    contacts: float
    wape: float | None
    bias: float | None
    chance: float | None


class LeadError(Answer):
    lead_days: int
    error: ForecastError


class ForecastTest(Answer):
    """The method tried on the past: `days` days, each from what was known `lead_days` before. `naive`: the same, foretold by
    what came on the same weekday of the week before."""

    days: int
    lead_days: int
    error: ForecastError
    naive: ForecastError


class ForecastInterval(Answer):
    """A quarter of an hour. `forecast` null: none was made; `actual` null: not over, or nobody knows; `required` (agents
    there) and `required_scheduled` (with shrinkage) null: there is no forecast, or no handle time is known. `scheduled`:
    people of the queue who are planned for work, parts counting as parts."""

    start: datetime
    forecast: float | None
    actual: int | None
    required: int | None
    required_scheduled: int | None
    scheduled: float


class ForecastReport(Answer):
    """`made_on`: the day on which the newest of these forecasts was made; null: there is none. Of days that are over the
    forecasts are those made `lead_days` before. `error`: of the range asked for; `errors`: of the last four weeks, by lead.
    `tested` null: too little history (`history_days` days; 14 are the least)."""

    queue_id: int
    time_zone: str
    method: str
    made_on: date | None
    lead_days: int
    history_days: int
    aht_s: float | None
    plan: StaffingPlanView
    error: ForecastError
    errors: list[LeadError]
    tested: ForecastTest | None
    intervals: list[ForecastInterval]


# --- schedules ----------------------------------------------------------------------------------------------------------

ActivityName = Literal["work", "break", "training", "meeting", "leave"]


class ShiftPiece(Request):
    """HH:MM of the clock on the wall; past midnight is written like 26:00. Breaks, training and meetings lie on top of work,
    leave on top of all."""

    starts: Annotated[str, StringConstraints(max_length=5)]
    ends: Annotated[str, StringConstraints(max_length=5)]
    activity: ActivityName


class ShiftDay(Answer):
    """`is_own`: the day is not as the week says."""

    day: date
    is_own: bool
    pieces: list[ShiftPiece]


class AgentShifts(Answer):
    """`week`: what repeats on the last day asked for, Monday first, since `week_since`; empty and null if nothing does."""

    user_id: int
    name: str
    week_since: date | None
    week: list[list[ShiftPiece]]
    days: list[ShiftDay]


class ShiftsReport(Answer):
    time_zone: str
    agents: list[AgentShifts]


class SaveShiftDay(Request):
    pieces: Annotated[list[ShiftPiece], Field(max_length=24)]


class SaveShiftWeek(Request):
    """Seven days, Monday first, from `since` on."""

    since: date
    week: Annotated[list[Annotated[list[ShiftPiece], Field(max_length=24)]], Field(min_length=7, max_length=7)]


class CopyShifts(Request):
    """Both are Mondays. `agents` null: everybody who has a schedule."""

    source: date
    target: date
    agents: Annotated[list[int], Field(max_length=2_000)] | None = None


class ImportShifts(Request):
    """Lines of agent (e-mail address), day, starts, ends, activity, below a line with these words."""

    csv: Annotated[str, StringConstraints(min_length=1, max_length=2_000_000)]


class DaysWritten(Answer):
    days: int


class ScheduleDeparture(Answer):
    start: datetime
    end: datetime
    activity: ActivityName
    state: AgentState


class AgentAdherence(Answer):
    """Seconds. `adherence`: in the right state ÷ scheduled; `conformance`: available or busy ÷ scheduled for work; null if
    nothing was scheduled of which the state is known. `unknown_s`: scheduled time of which no state is known, in neither.
    `departures`: the last ones, at most 50."""

    user_id: int
    name: str
    scheduled_s: float
    right_s: float
    for_work_s: float
    at_work_s: float
    unknown_s: float
    adherence: float | None
    conformance: float | None
    departures: list[ScheduleDeparture]


class AdherenceReport(Answer):
    """Up to `as_of`."""

    time_zone: str
    as_of: datetime
    agents: list[AgentAdherence]


class AbsentAgent(Answer):
    """Scheduled for `activity` from `since` to `until`, and in another state since `state_since`."""

    user_id: int
    name: str
    activity: ActivityName
    since: datetime
    until: datetime
    state: AgentState
    state_since: datetime


# --- reports ------------------------------------------------------------------------------------------------------------


class MeasureParams(QueryFields):
    """For the measures that take them (GET /measures says which, and what they may be)."""

    threshold_s: int | None = None
    short_s: int | None = None
    days: int | None = None
    with_abandons: bool | None = None
    with_short_abandons: bool | None = None
    with_flow_outs: bool | None = None


class ReportFilters(QueryFields):
    """Only what is of these, each one id; two at once of which there is no ready sum are counted at the asking."""

    agent: str | None = None
    team: str | None = None
    queue: str | None = None
    channel: str | None = None
    topic: str | None = None


class FigureQuery(QueryFields):
    """`measures`: ids with commas between; `from` and `to`: local days, both included. `by` and `ids` (with commas between;
    none: of all who have any) say whose rows. `before`: the first day of the time that is compared with."""

    measures: str
    from_: date
    to: date
    grain: ReportGrain = "total"
    by: ReportBy = "none"
    ids: str = ""
    compare: Literal["previous", "none"] = "none"
    before: date | None = None


class MomentsQuery(QueryFields):
    """`measures`: ids of figures of a moment, with commas between; `from` and `to`: local days, both included. `queue`: of
    this one; absent: of all together."""

    measures: str
    from_: date
    to: date
    grain: Literal["interval", "day"] = "interval"
    queue: str | None = None


class FigureMeasure(Answer):
    """By which formula, in which version, the figures of a report were computed."""

    id: str
    version: int
    unit: MeasureUnit


class MomentValue(Answer):
    """`value`: as it was (of a day the mean over the `n` quarters of which it is known), `most`: the highest of them; null:
    nothing is known. Counts, or seconds."""

    value: float | None
    most: float | None
    n: int


class MomentReportRow(Answer):
    """`is_gap`: no hub kept it, and `figures` is empty; never a zero."""

    start: datetime
    end: datetime
    is_gap: bool
    figures: dict[str, MomentValue]


class MomentsReport(Answer):
    from_: date
    to: date
    time_zone: str
    grain: Literal["interval", "day"]
    queue_id: int | None
    measures: list[FigureMeasure]
    rows: list[MomentReportRow]


class FigureValue(Answer):
    """`value` null: there was no case. `n`: over so many cases (of shares of time: seconds). A duration of which percentiles
    are told has its median as `value`, and beside it mean and 90th percentile; percentiles are within `error` of the exact
    ones (0.01: 1 %). `parts`: what the value consists of, or what belongs beside it, by name (response_rate, short …).
    `previous`: the same figure of the time before, where that was asked for. Durations are in seconds, shares between 0 and
    1."""

    value: float | None
    n: int
    previous: float | None = None
    mean: float | None = None
    p90: float | None = None
    error: float | None = None
    parts: dict[str, float | None] = {}


class FigureRow(Answer):
    """One stretch of time, start <= t < end, of one agent, team, queue, channel or topic: `key` is their id as text, null
    where the report is of all. `is_gap`: nothing is known of that time (before the first fact, or in the future), and
    `figures` is empty: no zero."""

    start: datetime
    end: datetime
    key: str | None
    name: str
    is_gap: bool
    figures: dict[str, FigureValue]


class FiguresCompared(Answer):
    """The local days compared with; `cut_at`: of these only what happened before, as today is not over (null: all)."""

    from_: date = Field(serialization_alias="from")
    to: date
    cut_at: datetime | None


class FigureReport(Answer):
    """`as_of`: everything that happened before is told; `complete` false: a part of the range is not told of (it lies in
    the future, or before the first fact). `remaking`: all figures are being made anew, and those after `as_of` are gaps
    until they are whole. Days are those of `time_zone`. `compared`: null where nothing is."""

    from_: date = Field(serialization_alias="from")
    to: date
    time_zone: str
    grain: ReportGrain
    by: ReportBy
    as_of: datetime
    complete: bool
    compared: FiguresCompared | None
    remaking: bool
    measures: list[FigureMeasure]
    rows: list[FigureRow]


class ContactBehind(Answer):
    """One case behind a figure: `value` is what it gave to it (seconds, a score; null: it is only counted), `what` says
    in a machine word what happened (answered, abandoned, resolved …), `at` when. `wait_s`: how long the customer waited
    in the queue, in full milliseconds; null: the case is no stay in a queue. `is_readable` false: the viewer may not see
    the conversation (any more), and the customer is left out."""

    conversation_id: int
    customer_name: str | None
    customer_is_erased: bool
    channel_id: str | None
    queue_id: int | None
    agent_id: int | None
    at: datetime
    value: float | None
    what: str
    wait_s: float | None
    is_readable: bool


class StateSpell(Answer):
    """`until` null: still so. `reason` goes with `away`. `work_count`: on so many pieces of work at once."""

    state: str
    reason: str | None
    since: datetime
    until: datetime | None
    load: int
    capacity: int
    work_count: int


class StateDay(Answer):
    """One local day of an agent (`start` to `end`: 23, 24 or 25 hours), its spells cut at its bounds. Seconds: `worked_s`
    with any work, `available_s` free for work, `away_s` away, by reason, `not_responding_s` away because they did not
    answer; `signed_in_s` is all of them. `first_at` and `last_at`: the beginning and end of the day's work."""

    date: date
    start: datetime
    end: datetime
    is_gap: bool
    first_at: datetime | None
    last_at: datetime | None
    signed_in_s: float
    worked_s: float
    available_s: float
    away_s: float
    not_responding_s: float
    away_by_reason: dict[str, float]
    spells: list[StateSpell]


class AgentStates(Answer):
    agent_id: int
    name: str
    days: list[StateDay]


class StatesReport(Answer):
    from_: date = Field(serialization_alias="from")
    to: date
    time_zone: str
    as_of: datetime
    complete: bool
    agents: list[AgentStates]


class LoadHour(Answer):
    """One hour of the week: `weekday` 1 is Monday (ISO 8601), `hour` 0 to 23 of the local clock. `count` over all of the
    range; `mean` for each time that this hour came (`times`: where clocks change, half of it may be missing or come
    twice), null where it did not come yet."""

    weekday: int
    hour: int
    count: int
    times: float
    mean: float | None


class LoadReport(Answer):
    """Always 7 × 24 hours, Monday first. `measure` says what is counted."""

    from_: date = Field(serialization_alias="from")
    to: date
    time_zone: str
    as_of: datetime
    complete: bool
    measure: FigureMeasure
    hours: list[LoadHour]


class LeaderBoardTeam(Answer):
    id: int
    name: str


class LeaderBoardRow(Answer):
    """`rank`: who is equal has the same, and the next one counts on (1, 2, 2, 4)."""

    rank: int
    agent_id: int
    name: str
    value: float
    n: int


class LeaderBoard(Answer):
    """`teams`: whose boards you may open; `team_id` null: of everybody whose team has not switched it off. Whoever has no
    case in that time does not stand on it."""

    from_: date = Field(serialization_alias="from")
    to: date
    time_zone: str
    as_of: datetime
    complete: bool
    measure: FigureMeasure
    better: Literal["higher", "lower"]
    team_id: int | None
    teams: list[LeaderBoardTeam]
    rows: list[LeaderBoardRow]


# Read on the day a report is due (reports.recurrence).
ReportRange = Literal["yesterday", "last_7_days", "last_28_days", "last_week", "last_month"]


class ReportQueryIn(Request):
    """What a scheduled report tells: the parameters of GET /reports/figures, and its range in a word: `yesterday`,
    `last_week` (Monday to Sunday), `last_month`, or so many days up to and with yesterday."""

    measures: Annotated[list[str], Field(min_length=1, max_length=20)]
    range: ReportRange
    grain: ReportGrain = "total"
    by: ReportBy = "none"
    ids: Annotated[list[str], Field(max_length=500)] = []
    compare: Literal["previous", "none"] = "none"
    agent: str | None = None
    team: str | None = None
    queue: str | None = None
    channel: str | None = None
    topic: str | None = None
    threshold_s: int | None = None
    short_s: int | None = None
    days: int | None = None
    with_abandons: bool | None = None
    with_short_abandons: bool | None = None
    with_flow_outs: bool | None = None


class ReportQueryView(Answer):
    """A ReportQueryIn as it was said; null: nothing was."""

    measures: list[str]
    range: ReportRange
    grain: ReportGrain
    by: ReportBy
    ids: list[str]
    compare: Literal["previous", "none"]
    agent: str | None
    team: str | None
    queue: str | None
    channel: str | None
    topic: str | None
    threshold_s: int | None
    short_s: int | None
    days: int | None
    with_abandons: bool | None
    with_short_abandons: bool | None
    with_flow_outs: bool | None


class NewReportSchedule(Request):
    """`every` week: on `weekday` (1 Monday … 7 Sunday); month: on `day`, or on its last day where it has fewer. `at` HH:MM of
    `time_zone` (null: the organisation's); a time that the clocks skip is the next one there is. `recipient_ids`: staff,
    `addresses`: anybody else. `files`: what hangs on the mail, which tells the figures itself, too."""

    name: Name
    query: ReportQueryIn
    every: Literal["day", "week", "month"]
    weekday: Annotated[int, Field(ge=1, le=7)] | None = None
    day: Annotated[int, Field(ge=1, le=31)] | None = None
    at: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    recipient_ids: Annotated[list[int], Field(max_length=100)] = []
    addresses: Annotated[list[Email], Field(max_length=100)] = []
    files: Annotated[list[Literal["xlsx", "csv"]], Field(max_length=2)] = ["xlsx"]
    active: bool = True


class UpdateReportSchedule(NewReportSchedule):
    """The whole of it anew. 409 `version_conflict` when somebody changed it since `expected_version`."""

    expected_version: int | None = None


class ReportMail(Answer):
    """What became of a report for one recipient. `code` and `message` say why it was not sent (the mail server's words)."""

    address: str
    state: Literal["waiting", "sent", "failed"]
    attempts: int
    next_attempt_at: datetime | None
    code: str | None
    message: str | None


class ReportRun(Answer):
    """A report that was due (`due_at`), or asked for by hand. `code` and `message`: why it cannot be made or sent at all."""

    id: int
    due_at: datetime
    is_manual: bool
    state: Literal["waiting", "sent", "failed"]
    finished_at: datetime | None
    code: str | None
    message: str | None
    mails: list[ReportMail]


class ReportSchedule(Answer):
    """`next_at` null: it is switched off. `hindrance`: why nothing can be sent as things stand, in a machine word:
    `no_mail_channel`, `owner_inactive`, `no_recipient`; `channel_id`: the mail channel it is sent through. `last_run`: the
    latest one."""

    id: int
    name: str
    query: ReportQueryView
    every: Literal["day", "week", "month"]
    weekday: int | None
    day: int | None
    at: str
    time_zone: str
    recipient_ids: list[int]
    addresses: list[str]
    files: list[Literal["xlsx", "csv"]]
    active: bool
    owner_id: int
    owner_name: str
    next_at: datetime | None
    channel_id: str | None
    hindrance: Literal["no_mail_channel", "owner_inactive", "no_recipient"] | None
    last_run: ReportRun | None
    version: int


# --- limits that are watched --------------------------------------------------------------------------------------------


AlertEmails = Annotated[
    list[Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)]], Field(max_length=50)
]


class NewAlertRule(Request):
    """A limit: it breaks when the figure is beyond `raise_at` for `for_s` without a break, and is well again at `clear_at`
    or better (both may be one). `measure`: a measure's id (of today), or waiting, longest_waiting_s, backlog,
    available_agents, ewt_s, ewt_error_s (of this moment). `webhook_secret`: signs what goes to `webhook_url`; null: as it
    was."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    measure: MeasureId
    scope: Scope
    scope_id: int | None = None
    raise_at: Bound
    clear_at: Bound
    for_s: int = 0
    enabled: bool = True
    to_console: bool = True
    emails: AlertEmails = []
    webhook_url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] | None = None
    webhook_secret: Annotated[str, StringConstraints(max_length=200)] | None = None


class SaveAlertRule(NewAlertRule):
    """The limit whole. `expected_version`: what was seen."""

    expected_version: int


class AlertRuleView(Answer):
    """`raised_at`: since when it is broken; null: it is not. `is_judged` false: figures are being made anew, and until they
    are whole it stays as it is. `value`: the figure as it was looked at last. `trouble`: why the last message did not arrive,
    and where; null: it did everywhere. `webhook_url`: to supervisors its host alone."""

    id: int
    name: str
    measure: str
    scope: Scope
    scope_id: int | None
    raise_at: float
    clear_at: float
    for_s: int
    enabled: bool
    to_console: bool
    emails: list[str]
    webhook_url: str | None
    has_webhook_secret: bool
    raised_at: datetime | None
    is_judged: bool
    value: float | None
    trouble: str | None
    version: int


class AlertTest(Answer):
    """`trouble`: what did not arrive and why; null: everything did."""

    trouble: str | None


# --- surveys ----------------------------------------------------------------------------------------------------------

SurveyLanguage = Literal["en", "hy", "ka", "az", "uk", "ru"]
Question = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


class SurveyWords(Request):
    """What is asked. `questions`: language → the queue's own words; without, the usual ones."""

    kind: SurveyKind
    questions: dict[SurveyLanguage, Question] = {}


class SaveSurveySetting(SurveyWords):
    """`channels`: kinds of channel on which is asked. `delay_s` after the resolution; at most once in `throttle_days` (0:
    each time); answers are taken for `open_h` hours. `low_score`: a score up to it is low; null: none is. `told`: users who
    hear of low scores; null: every supervisor. `expected_version`: 0 for the first time."""

    enabled: bool
    language: SurveyLanguage
    channels: list[Literal["chat", "sms", "email", "phone", "loopback"]]
    delay_s: Annotated[int, Field(ge=0, le=7 * 86_400)]
    throttle_days: Annotated[int, Field(ge=0, le=3_650)]
    open_h: Annotated[int, Field(ge=1, le=24 * 60)]
    low_score: Annotated[int, Field(ge=0, le=10)] | None
    told: Annotated[list[int], Field(max_length=200)] | None
    scores_for_agents: Literal["own", "all"]
    expected_version: Annotated[int, Field(ge=0)]


class SurveySettingView(Answer):
    """`version` 0: nothing was ever saved, and nobody is asked."""

    queue_id: int
    queue_name: str
    enabled: bool
    kind: SurveyKind
    questions: dict[str, str]
    language: str
    channels: list[ChannelKind]
    delay_s: int
    throttle_days: int
    open_h: int
    low_score: int | None
    told: list[int] | None
    scores_for_agents: Literal["own", "all"]
    version: int


class SurveyPreview(Answer):
    """What a customer who speaks `language` is asked. `usual`: the question without own words; `sms`: the whole text
    message."""

    language: str
    question: str
    usual: str
    low: str
    high: str
    sms: str


class TestSurvey(SurveyWords):
    """By mail to yourself, or by text message to `address`."""

    channel_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    language: SurveyLanguage
    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] | None = None


class TestChannel(Request):
    """One message to `address`, a telephone number or an e-mail address, with these words."""

    address: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254)]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class TestSent(Answer):
    """To whom it went."""

    address: str


class TestCall(Request):
    """Whom to ring through a telephone line: `address`, a telephone number, where the line dials; `offer`, the SDP offer of
    the page, where it is the hub's own. `language`: what is said there is in it."""

    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)] | None = None
    offer: Annotated[str, StringConstraints(min_length=1, max_length=60_000)] | None = None
    language: Annotated[str, StringConstraints(min_length=2, max_length=8)] = "en"


class LineTestView(Answer):
    """How far a test call is. `state`: pending, ringing, connected, ended. `is_heard`: the sentence was said to its end.
    `end`: why it is over (as of a leg); `code` and `reason` are what the provider said where it refused, in its words."""

    id: int
    state: str
    is_answered: bool
    is_heard: bool
    end: str | None
    code: str | None
    reason: str | None


class TestCallBegun(Answer):
    """`answer`: the SDP answer to the page's offer."""

    test: LineTestView
    answer: str | None


class FollowUp(Request):
    done: bool


# --- the audit log ------------------------------------------------------------------------------------------------------


class AuditAct(Answer):
    """`actor_id` null: the hub itself, its command line, or somebody who is not signed in. `data`: what a sentence needs:
    `name` is what the subject was called, `changes` field → [before, after], or "changed"."""

    id: str
    at: datetime
    actor_id: int | None
    actor_name: str
    api_key_name: str | None
    address: str | None
    action: str
    subject: str
    subject_id: str
    data: dict[str, object]


# --- links that let people in -------------------------------------------------------------------------------------------

# What token_urlsafe(32) makes, and a little more.
Token = Annotated[str, StringConstraints(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]


class NewInvitation(Request):
    """`skills`: skill's id → level. With `role_id`, a role of one's own, `role` is not looked at."""

    email: Email
    role: Role = Role.AGENT
    role_id: int | None = None
    language: StaffLanguage = "en"
    queue_ids: Annotated[list[int], Field(max_length=1_000)] = []
    team_ids: Annotated[list[int], Field(max_length=1_000)] = []
    skills: Annotated[dict[int, Annotated[int, Field(ge=1, le=5)]], Field(max_length=200)] = {}


class InvitationView(Answer):
    """`mail_state` null: no mail was sent, as there is no account to send from; `mail_code`: why one did not leave."""

    id: int
    email: str
    role: Role
    role_name: str | None
    language: str
    queue_ids: list[int]
    team_ids: list[int]
    invited_by: str | None
    created_at: datetime
    expires_at: datetime
    mail_state: Literal["sent", "failed"] | None
    mail_code: str | None


class IssuedLinkView(Answer):
    """`url` is shown once: it is kept nowhere."""

    invitation: InvitationView
    url: str


class LinkToken(Request):
    token: Token


class LinkView(Answer):
    """`name`: of whose password it is; "" for an invitation."""

    kind: Literal["invitation", "password"]
    email: str
    name: str
    language: str
    organisation: str
    invited_by: str | None
    expires_at: datetime


class UseLink(LinkToken):
    """`name`: what the invited is called; not for a password."""

    name: Name | None = None
    password: Password


class LinkUsed(Answer):
    email: str


class AskPassword(Request):
    email: Email


class OwnSessionView(Answer):
    """`browser`: what it says of itself. `is_this`: the one that asks."""

    id: str
    address: str | None
    browser: str | None
    created_at: datetime
    seen_at: datetime
    is_screen: bool
    is_this: bool


# --- the first set-up ---------------------------------------------------------------------------------------------------

SetUpStep = Literal["organisation", "account", "team", "channel", "test", "done"]
SetUpCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]


class Welcome(Answer):
    """`needs_set_up`: nobody administers this hub yet. `can_reset_password`: links can be sent by mail."""

    needs_set_up: bool
    can_reset_password: bool


class OrganisationBefore(Request):
    """What it was when whoever changes it looked."""

    name: str
    time_zone: str
    country: str | None
    languages: list[str]


class SaveOrganisation(Request):
    """`time_zone`: an IANA name; `country`: ISO 3166, two letters; `languages`: the customers', the usual one first."""

    name: Name
    time_zone: Zone
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    languages: Annotated[list[LanguageTag], Field(max_length=20)] = []
    expected: OrganisationBefore | None = None


class OrganisationView(Answer):
    name: str
    time_zone: str
    country: str | None
    languages: list[str]


class MailAccount(Answer):
    """A channel that mails can leave from."""

    channel_id: str
    name: str
    address: str
    is_down: bool


class OrganisationSettings(Answer):
    """`mail_channel_id`: the account that was chosen for the hub's own mails (null: whichever can send); `mail_from`: the one
    they leave from as things stand (null: none can send)."""

    organisation: OrganisationView
    mail_channel_id: str | None
    mail_from: str | None
    mail_accounts: list[MailAccount]


class SetMailAccount(Request):
    channel_id: str | None


class RetentionView(Answer):
    """`days` holds: what was `chosen`, at most `limit`, which the hub's environment says by `variable`; from `least` on
    may be chosen."""

    kept: Kept
    days: int
    chosen: int | None
    least: int
    limit: int
    variable: str


class SaveRetention(Request):
    """Days; null: as the environment says; absent: as it is."""

    events: int | None = None
    arrivals: int | None = None
    audit: int | None = None
    webhooks: int | None = None


class SetUpKey(Request):
    """`code`: what the hub printed when it started."""

    code: SetUpCode


class SetUpOrganisation(SaveOrganisation, SetUpKey):
    pass


class SetUpAccount(SetUpKey):
    name: Name
    email: Email
    password: Password
    language: StaffLanguage = "en"


class SetUpView(Answer):
    """`step`: which comes next; null: it is over."""

    step: SetUpStep | None
    organisation: OrganisationView


class SetSetUpStep(Request):
    """null: it is over, finished or not."""

    step: SetUpStep | None


# --- canned replies -----------------------------------------------------------------------------------------------------


class CannedTextBody(Request):
    """What is said in one language: en, hy, ka, az, uk or ru. In double braces stand placeholders, `{{customer.first_name}}`,
    each with what is said where there is no value, if you like: `{{customer.first_name|there}}`."""

    language: Annotated[str, StringConstraints(max_length=10)]
    text: Annotated[str, StringConstraints(max_length=20_000)]
    subject: Annotated[str, StringConstraints(max_length=2_000)] | None = None


class NewCannedReply(Request):
    """`code` is typed after a slash; `folder`: names with / between them. `scope`: personal (yours alone); all and queues
    (those of `queue_ids`) are for supervisors to give. The first of `texts` is said where nothing speaks for another."""

    title: Annotated[str, StringConstraints(max_length=1_000)]
    code: Annotated[str, StringConstraints(max_length=1_000)]
    folder: Annotated[str, StringConstraints(max_length=1_000)] = ""
    scope: CannedScope = "personal"
    queue_ids: Annotated[list[int], Field(max_length=500)] = []
    texts: Annotated[list[CannedTextBody], Field(max_length=20)]


class SaveCannedReply(NewCannedReply):
    """All of it, as it is to be. 409 `version_conflict` with an `expected_version` that is no longer so."""

    expected_version: int | None = None


class RenderCannedReply(Request):
    """`is_note`: it goes into a note, which has no markup. `language`: instead of the customer's. `uses`: it is put into a
    message now, which is counted."""

    conversation_id: int
    is_note: bool = False
    language: Annotated[str, StringConstraints(max_length=10)] | None = None
    uses: bool = False


class PreviewCannedReply(Request):
    """`is_known` False: for a customer of whom only a number is known. `queue_id`: whose name is put in; null: the first."""

    language: Annotated[str, StringConstraints(max_length=10)]
    text: Annotated[str, StringConstraints(max_length=20_000)]
    subject: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    queue_id: int | None = None
    is_known: bool = True


class RenderedReply(Answer):
    """`missing`: placeholders that have no value here; they still stand in the text, to be filled in by hand."""

    text: str
    subject: str | None
    language: str
    missing: list[PlaceholderName]


class PreviewedReply(Answer):
    """`faults`: field (language, text, subject) → why it could not be kept."""

    rendered: RenderedReply
    faults: dict[str, str]


# --- webhooks ---------------------------------------------------------------------------------------------------------


class WebhookEvent(Answer):
    """What an endpoint may ask for. `words`: when it is told. `data`: its fields → the API's names of what stands there."""

    name: Told
    words: str
    data: dict[str, str]


class NewWebhook(Request):
    """Who is told what. Of `queue_ids` and `channel_ids` none means all; they leave alone what belongs to no queue or channel
    (customers, agents)."""

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    events: Annotated[list[Told], Field(max_length=100)]
    queue_ids: Annotated[list[int], Field(max_length=500)] = []
    channel_ids: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=500)] = []
    enabled: bool = True


class SaveWebhook(NewWebhook):
    """The webhook whole. `expected_version`: what was seen."""

    expected_version: int


class WebhookView(Answer):
    """`health`: ok, failing (since `failing_since`; nothing is tried before `paused_until`) or off. `off_reason`: why the hub
    itself has switched it off; null: somebody did. `waiting` and `dead` deliveries are counted up to 10,000.
    `old_secret_until`: until then deliveries are signed by the secret before, too."""

    id: int
    url: str
    description: str
    events: list[str]
    queue_ids: list[int]
    channel_ids: list[str]
    enabled: bool
    health: Literal["ok", "failing", "off"]
    off_reason: Literal["failing", "gone"] | None
    off_at: datetime | None
    failing_since: datetime | None
    failures_in_row: int
    paused_until: datetime | None
    secret_since: datetime
    old_secret_until: datetime | None
    waiting: int
    dead: int
    oldest_waiting_at: datetime | None
    last_delivered_at: datetime | None
    created_at: datetime
    version: int


class IssuedWebhook(WebhookView):
    """`secret`: what its deliveries are signed with. It is shown here and never again."""

    secret: str


class WebhookSecret(Answer):
    """The new secret, shown here and never again; until `old_until` deliveries are signed by the old one, too."""

    secret: str
    old_until: datetime


class WebhookTest(Answer):
    """What was answered to a test: `status` of the answer, its first bytes, and how long it took; null: `code` says in a
    machine's word why there was none."""

    arrived: bool
    status: int | None
    code: str | None
    answer: str
    duration_ms: int


DeliveryState = Literal["waiting", "sending", "delivered", "dead"]


class WebhookDelivery(Answer):
    """`message_id`: the header webhook-id. `due_at`: when it is tried next (waiting). `status`, `code`, `duration_ms` are of
    the last attempt."""

    id: int
    endpoint_id: int
    message_id: str
    type: str
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    created_at: datetime
    attempted_at: datetime | None
    done_at: datetime | None
    status: int | None
    code: str | None
    duration_ms: int | None


class WebhookFailure(Answer):
    at: datetime
    status: int | None
    code: str | None
    duration_ms: int


class WebhookDeliveryDetails(WebhookDelivery):
    """`body`: what is sent, to the byte. `answer`: the first bytes of what was answered last. `failures`: attempts that
    failed, the oldest first."""

    url: str
    body: str
    answer: str
    failures: list[WebhookFailure]


class ReplayDead(Request):
    """What was given up from this instant on is sent again."""

    since: AwareDatetime


class Replayed(Answer):
    count: int


# --- search and saved views ---------------------------------------------------------------------------------------------


class SearchPage(Answer):
    """`building_percent`: how much of the index there is, while it is being made; null: all of it."""

    items: list[SearchHit]
    next_cursor: str | None = None
    building_percent: int | None = None


class ViewFilter(Request):
    """Which conversations; null and false ask nothing. `assignee`: me, none or a user's id; `tier`: at least this;
    `is_troubled`: complaints and what has escalated; `within_days`: something was said lately; `words`: as in search."""

    status: ConversationStatus | None = ConversationStatus.OPEN
    assignee: Annotated[str, StringConstraints(pattern=r"^(me|none|[1-9][0-9]{0,16})$")] | None = None
    queue_id: int | None = None
    channel: ChannelKind | None = None
    topic_id: int | None = None
    tag: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)] | None = None
    tier: Annotated[int, Field(ge=1, le=3)] | None = None
    is_unanswered: bool = False
    is_troubled: bool = False
    is_complaint: bool = False
    within_days: Annotated[int, Field(ge=1, le=366)] | None = None
    words: Annotated[str, StringConstraints(strip_whitespace=True, max_length=400)] | None = None


class ViewToSave(Request):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    is_shared: bool = False
    filter: ViewFilter


class ViewToChange(Request):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)] | None = None
    is_shared: bool | None = None
    filter: ViewFilter | None = None
    expected_version: int | None = None


# --- the inbox, tasks, and how one is told ----------------------------------------------------------------------------------


class InboxItem(Answer):
    """An alert with what a list of them shows: the beginning of the note it is about and the task, as they are now; null
    where there is none, or it may not be seen (any more)."""

    alert: AlertView
    excerpt: str | None
    task: TaskView | None


class SeeAll(Request):
    """The id of the newest that the screen has shown: what comes meanwhile stays unseen."""

    up_to: Annotated[int, Field(gt=0)]


class TaskFields(Request):
    """What is to be done, when, and by whom: a person or a queue; neither: you."""

    kind: Literal["follow_up", "call_back"] = "follow_up"
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    due_at: AwareDatetime
    assignee_id: int | None = None
    queue_id: int | None = None


class NewTask(TaskFields):
    """For one of a customer's conversations, whose timeline tells of it, or for the customer alone."""

    customer_id: int | None = None
    conversation_id: int | None = None


class UpdateTask(TaskFields):
    expected_version: int | None = None


class EndTask(Request):
    outcome: Literal["done", "dropped"]


NoticeKind = Literal["offer", "call", "page", "mention", "task", "work", "alert"]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class SetNoticeRules(Request):
    """All of them. `version`: the one that was seen (0: none were set yet)."""

    silent: Annotated[list[NoticeKind], Field(max_length=10)] = []
    hidden: Annotated[list[NoticeKind], Field(max_length=10)] = []
    quiet_from: TimeOfDay | None = None
    quiet_until: TimeOfDay | None = None
    zone: Annotated[str, StringConstraints(max_length=60)] | None = None
    quiet_states: Annotated[list[Literal["busy", "away"]], Field(max_length=5)] = []
    # How close the rows of their lists and tables stand.
    density: Literal["comfortable", "compact"] = "comfortable"
    version: Annotated[int, Field(ge=0)]


# --- two records of one person ------------------------------------------------------------------------------------------


class NewMerge(Request):
    """`other_id` becomes a part of the customer of the address. `choices`: field → what it shall say, where that is not what
    the preview proposes. With the versions of the cards that were looked at: 409 `version_conflict` if one has changed."""

    other_id: int
    choices: Annotated[dict[str, Literal["ours", "theirs", "both"]], Field(max_length=60)] = {}
    expected_version: int | None = None
    expected_other_version: int | None = None


class Merged(Answer):
    """The merge, by which it can be undone, and the card as it is now."""

    merge: MergeView
    customer: CustomerView


class Unmerged(Answer):
    """Two again. `kept`: fields that had been filled from the other card and were changed since: they stay."""

    customer: CustomerView
    other: CustomerView
    kept: list[str]


# --- conversations that are one matter, and that are two -------------------------------------------------------------------


class NewConversationMerge(Request):
    """`from_ids` become a part of the conversation of the address. `expected_versions`: by id, of those that were looked at:
    409 `version_conflict` if one has changed."""

    from_ids: Annotated[list[int], Field(min_length=1, max_length=20)]
    expected_versions: Annotated[dict[int, int], Field(max_length=21)] = {}


class ConversationsMerged(Answer):
    """The merges, by which each can be undone, and the conversation as it is now."""

    merges: list[ConversationMergeView]
    conversation: ConversationView


class ConversationsApart(Answer):
    """`conversation` is its own again (or for the first time), `other` the one it was a part of."""

    conversation: ConversationView
    other: ConversationView


class SplitConversation(Request):
    """`entry_ids`: messages that are another matter. It begins in `queue_id` (absent: the same queue), about `topic_id`; with
    `hold` it is yours. `expected_version`: of the conversation that was looked at."""

    entry_ids: Annotated[list[int], Field(min_length=1, max_length=200)]
    queue_id: int | None = None
    topic_id: int | None = None
    hold: bool = False
    expected_version: int | None = None


# --- what other systems know ----------------------------------------------------------------------------------------------

# A decimal number: up to twelve digits, and four after the point, as some currencies' smallest unit has.
Amount = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^-?\d{1,12}(\.\d{1,4})?$")]


class ActivityFields(Request):
    """`source` names the system, `external_id` what is told of there: told again, it is changed. `amount` with its
    `currency`, as "12500" or "49.90". `url`: where to read more of it, https only. `at`: when it happened; absent: now."""

    source: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
    external_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    kind: Literal["order", "payment", "visit", "delivery", "ticket", "other"]
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    amount: Amount | None = None
    currency: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z]{3}$")] | None = None
    url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] | None = None
    at: datetime | None = None


class NewActivity(ActivityFields):
    """Of the customer whose number or mailbox this is: exactly one of them."""

    phone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)] | None = None
    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)] | None = None


# --- many at once ---------------------------------------------------------------------------------------------------------


class BulkAct(Request):
    """One thing done to many conversations. What it needs: `tag` and `untag` the tags, `topic` the topic (null: none),
    `priority` the minutes, `transfer` exactly one of agent and queue, `park` the instant."""

    ids: Annotated[list[int], Field(min_length=1, max_length=50)]
    action: Literal["resolve", "reopen", "release", "tag", "untag", "topic", "priority", "transfer", "park", "unpark"]
    tags: Annotated[
        list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]],
        Field(max_length=20),
    ] = []
    topic_id: int | None = None
    priority: Annotated[int, Field(ge=-60, le=600)] | None = None
    agent_id: int | None = None
    queue_id: int | None = None
    until: datetime | None = None


class BulkItem(Answer):
    """What became of one: the conversation as it is now, or why it stayed as it was."""

    id: int
    conversation: ConversationView | None
    code: str | None = None
    message: str | None = None


class BulkAnswer(Answer):
    items: list[BulkItem]


# --- what customers ask about their data (hub.privacy) ----------------------------------------------------------------------


class NewDataRequest(Request):
    """`identity`: by what you know that it is they who ask. `conversation_id`: where it was asked. `asked_at` null: now;
    `due_at` null: a month after."""

    kind: Literal["access", "erasure"]
    identity: Annotated[str, StringConstraints(max_length=2_000)]
    note: Annotated[str, StringConstraints(max_length=2_000)] = ""
    conversation_id: int | None = None
    asked_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None


class EndDataRequest(Request):
    """`reason`: needed for a refusal."""

    state: Literal["done", "refused", "withdrawn"]
    reason: Annotated[str, StringConstraints(max_length=2_000)] = ""
    expected_version: int | None = None


class EraseCustomer(Request):
    """`name`: the customer's, as it stands on the card."""

    name: str
    expected_version: int | None = None


class EraseObstacle(Answer):
    """What goes on still: `conversation_id`, or (`import_open`) `import_id` and `file_name`; none of them: what it is, you
    may not see."""

    code: Literal["call_live", "conversations_open", "sending", "import_open"]
    conversation_id: int | None
    import_id: int | None
    file_name: str | None


class EraseCheck(Answer):
    """What is to be seen to first, some of each kind; nothing: the customer can be erased."""

    in_the_way: list[EraseObstacle]


class DataRequest(Answer):
    """`state`: `erasing` until nothing is left in files and logs. `made_at`: when the file was made last. `ended_by_name`
    null: it goes on. After an erasure identity, note and reason are empty."""

    id: int
    customer_id: int
    customer_name: str
    customer_is_erased: bool
    kind: Literal["access", "erasure"]
    state: Literal["open", "erasing", "done", "refused", "withdrawn"]
    conversation_id: int | None
    identity: str
    note: str
    reason: str
    asked_at: datetime
    due_at: datetime
    is_overdue: bool
    taken_by_id: int
    taken_by_name: str
    created_at: datetime
    made_at: datetime | None
    ended_at: datetime | None
    ended_by_name: str | None
    version: int
