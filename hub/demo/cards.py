"""What the demo's cards say of its customers: invented people with the addresses, words and wishes that real ones have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from hub.domain.consent import How, Purpose
from hub.domain.fields import FieldKind, FieldOption, FieldValue, Subject
from hub.domain.values import ContactKind, Role
from hub.store import tables
from hub.store.database import Tx
from hub.timeline import consents, custom_fields, customers


@dataclass(frozen=True, slots=True)
class DemoCard:
    """By the telephone number. `handles` are network:name; `wants_news`: advertising by mail is allowed; `no_calls`: theirs
    is a telephone that is not to ring."""

    phone: str
    facts: Mapping[str, Any]
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    handles: tuple[str, ...] = ()
    wants_news: bool = False
    no_calls: bool = False
    owner: str | None = None


FAIR, FRIEND, WEB, STREET = "Tasting at Cascade", "A friend's word", "Web search", "Walked in"

FIELDS: tuple[Mapping[str, Any], ...] = (
    {
        "subject": Subject.CUSTOMER,
        "key": "club",
        "name": "Coffee club",
        "kind": FieldKind.CHOICE,
        "section": "Club",
        "options": (FieldOption("bean", "Bean"), FieldOption("roast", "Roast"), FieldOption("crema", "Crema")),
    },
    {"subject": Subject.CUSTOMER, "key": "club_card", "name": "Club card", "kind": FieldKind.TEXT, "section": "Club"},
    {
        "subject": Subject.CUSTOMER,
        "key": "brews_with",
        "name": "Brews with",
        "kind": FieldKind.CHOICES,
        "section": "Taste",
        "options": (
            FieldOption("jezve", "Jezve"),
            FieldOption("espresso", "Espresso machine"),
            FieldOption("filter", "Filter"),
            FieldOption("french_press", "French press"),
        ),
    },
    {
        "subject": Subject.CUSTOMER,
        "key": "credit_limit",
        "name": "Credit limit",
        "hint": "In dram; supervisors set it.",
        "kind": FieldKind.NUMBER,
        "section": "Billing",
        "editable_by": Role.SUPERVISOR,
    },
    {"subject": Subject.CONVERSATION, "key": "order_number", "name": "Order number", "kind": FieldKind.TEXT},
    {
        "subject": Subject.CONVERSATION,
        "key": "cause",
        "name": "Cause",
        "kind": FieldKind.CHOICE,
        "options": (
            FieldOption("order", "Order"),
            FieldOption("delivery", "Delivery"),
            FieldOption("quality", "Quality"),
            FieldOption("payment", "Payment"),
            FieldOption("question", "Question"),
        ),
    },
)

CARDS: tuple[DemoCard, ...] = (
    DemoCard(
        "+37491204518",
        {
            "country": "AM", "region": "Երևան", "town": "Երևան", "district": "Արաբկիր", "street": "Կոմիտասի պող. 31, բն. 12",
            "postcode": "0051", "birthday": "1988-03-14", "source": FAIR, "tags": ["մշտական", "ջազվե"],
            "preferred_channel": "sms",
            "note": "Սիրում է մուգ բոված։ Առաքիչը թող զանգի դռան մոտից։",
        },
        {"club": "roast", "club_card": "SC-20417", "brews_with": ["jezve"]},
        ("instagram:ani.coffee.diary",),
        wants_news=True,
    ),
    DemoCard(
        "+995555123418",
        {
            "country": "GE", "region": "თბილისი", "town": "თბილისი", "district": "ვაკე", "street": "აბაშიძის ქ. 24",
            "postcode": "0179", "birthday": "--09-21", "source": WEB, "tags": ["ჩაი"], "preferred_channel": "email",
        },
        {"club": "bean", "brews_with": ["french_press"]},
        ("telegram:nino_beridze",),
    ),
    DemoCard(
        "+380671240519",
        {
            "country": "UA", "region": "Київська обл.", "town": "Київ", "district": "Поділ",
            "street": "вул. Сагайдачного 9, кв. 4",
            "postcode": "04070", "birthday": "1994-12-02", "source": FRIEND, "tags": ["без кофеїну"],
            "preferred_channel": "chat",
        },
        {"brews_with": ["filter"]},
        ("telegram:olena.kov",),
    ),
    DemoCard(
        "+994502130417",
        {
            "country": "AZ", "region": "Bakı", "town": "Bakı", "district": "Nəsimi rayonu",
            "street": "Füzuli küçəsi 17, mənzil 8",
            "postcode": "AZ1014", "source": WEB, "tags": ["hədiyyə qutusu"], "preferred_channel": "sms",
        },
        {"club": "bean"},
        no_calls=True,
    ),
    DemoCard(
        "+37499340127",
        {
            "country": "AM", "region": "Շիրակ", "town": "Գյումրի", "street": "Աբովյան փող. 112",
            "postcode": "3101",
            "company": "Շիրակ Հյուրատուն ՍՊԸ", "job_title": "Տնօրեն", "source": STREET, "tags": ["գրասենյակ", "մեծածախ"],
            "preferred_channel": "phone",
            "note": "Ամսական 10 կգ, հաշիվ-ապրանքագիրը՝ առաքման օրը։",
        },
        {"club": "crema", "club_card": "SC-00031", "credit_limit": 450_000, "brews_with": ["espresso", "filter"]},
        wants_news=True,
        owner="agent1@demo.test",
    ),
    DemoCard(
        "+447700900318",
        {
            "country": "GB", "town": "Leeds", "street": "14 Canal Row",
            "postcode": "LS1 4AP", "birthday": "1979-07-30",
            "source": WEB, "tags": ["grinder"], "preferred_channel": "email",
        },
        {"brews_with": ["espresso"]},
    ),
    DemoCard(
        "+380982640173",
        {
            "country": "UA", "region": "Львівська обл.", "town": "Львів", "street": "вул. Вірменська 20",
            "company": "Кав’ярня «Два кроки»", "job_title": "Власник", "source": FRIEND, "tags": ["опт"],
        },
        {"club": "crema", "credit_limit": 300_000},
        owner="agent3@demo.test",
    ),
    DemoCard(
        "+994553084127",
        {"country": "AZ", "town": "Gəncə", "street": "Cavadxan küçəsi 5", "company": "Bağ Kafe", "source": FAIR},
    ),
)  # fmt: skip


def write_cards(tx: Tx, user_ids: Mapping[str, int]) -> None:
    """Fields, cards and what these customers allowed. `user_ids` by e-mail."""
    for definition in FIELDS:
        custom_fields.create_field(tx, None, **definition)
    p, cu = tables.contact_point.c, tables.customer.c
    by_id = user_ids["agent1@demo.test"]
    for card in CARDS:
        point = tx.first(select(p.id, p.customer_id).where(p.kind == ContactKind.PHONE.value, p.address == card.phone))
        assert point is not None
        owner_id = user_ids[card.owner] if card.owner else None
        values = {**card.facts, "fields": dict(card.fields) or None, "owner_id": owner_id}
        tx.execute(update(tables.customer).where(cu.id == point.customer_id).values(**values))
        for handle in card.handles:
            customers.add_contact_point(tx, point.customer_id, ContactKind.HANDLE, handle)
        if card.no_calls:
            words = "Works nights; texts are fine."
            _note(tx, point.id, "phone", Purpose.SERVICE, by_id, given=False, words=words)
        if card.wants_news:
            mailbox = tx.scalar(
                select(p.id).where(p.customer_id == point.customer_id, p.kind == ContactKind.EMAIL.value)
            )
            _note(tx, mailbox, "email", Purpose.MARKETING, by_id, given=True, words="Signed at the tasting.")


def _note(
    tx: Tx, contact_point_id: int, channel: str, purpose: Purpose, by_id: int, *, given: bool, words: str
) -> None:
    consents.note(
        tx,
        contact_point_id,
        channel=channel,
        purpose=purpose,
        given=given,
        how=How.FORM if given else How.TOLD,
        by_id=by_id,
        words=words,
    )
