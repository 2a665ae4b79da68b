"""What the people of the demo write often, in English and Armenian: everybody's, the sales', and one agent's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.agents.viewer import Viewer
from hub.domain.placeholders import CannedText
from hub.store.database import Tx
from hub.timeline.canned_replies import Wanted, create_reply

_ORDERS, _SHOP, _DELIVERY, _SALES = "Orders", "Shop", "Orders/Delivery", "Sales"


@dataclass(frozen=True, slots=True)
class SeedReply:
    """`queue`: only for its work. `is_own`: an agent's. `hy` None: not said in Armenian yet."""

    code: str
    title: str
    folder: str
    en: str
    hy: str | None = None
    subject: tuple[str, str] | None = None
    queue: str | None = None
    is_own: bool = False


REPLIES: tuple[SeedReply, ...] = (
    SeedReply(
        "hello",
        "Greeting",
        "",
        "Hello {{customer.first_name|there}}, this is {{agent.first_name}} from {{organisation.name}}. How can I help?",
        "Բարև Ձեզ, {{customer.first_name|հարգելի հաճախորդ}}։ {{organisation.name}}, {{agent.first_name}}։ "
        "Ինչո՞վ կարող եմ օգնել։",
    ),
    SeedReply(
        "bye",
        "Thanks and goodbye",
        "",
        "You are welcome! If anything else comes up, just write here.\n{{agent.first_name}}, {{organisation.name}}",
        "Խնդրեմ։ Եթե այլ հարց լինի, պարզապես գրեք այստեղ։\n{{agent.first_name}}, {{organisation.name}}",
    ),
    SeedReply(
        "order-number",
        "Ask for the order number",
        _ORDERS,
        "Could you send me the number of your order, please? It begins with SC and stands in the mail we sent you.",
        "Խնդրում եմ, ուղարկեք Ձեր պատվերի համարը։ Այն սկսվում է SC-ով և գրված է մեր ուղարկած նամակում։",
    ),
    SeedReply(
        "delivery",
        "Delivery in Yerevan",
        _DELIVERY,
        "We deliver in Yerevan every day from 10 to 20. Orders before noon arrive the same day, others the next.",
        "Երևանում առաքում ենք ամեն օր՝ 10-ից 20-ը։ Մինչև կեսօր արված պատվերը հասնում է նույն օրը, "
        "մյուսները՝ հաջորդ օրը։",
    ),
    SeedReply(
        "late",
        "The parcel is late",
        _DELIVERY,
        "Dear {{customer.name}},\n\nI am sorry that your parcel is late. I have asked the courier where it is and will write "
        "to you today, {{today}}, as soon as I know. Your request has the number {{conversation.number}}.",
        "Հարգելի {{customer.name}},\n\nցավում եմ, որ Ձեր ծանրոցն ուշանում է։ Հարցրել եմ առաքիչին, և հենց իմանամ, կգրեմ Ձեզ "
        "այսօր՝ {{today}}։ Ձեր հարցման համարն է {{conversation.number}}։",
        subject=("Your parcel", "Ձեր ծանրոցը"),
    ),
    SeedReply(
        "return",
        "How to return something",
        _ORDERS,
        "You can return anything unopened within 14 days. Bring it to the shop, or tell me your address and we fetch it "
        "for free.",
        "Չբացված ապրանքը կարող եք վերադարձնել 14 օրվա ընթացքում։ "
        "Բերեք խանութ, կամ ասեք հասցեն, և մենք անվճար կվերցնենք։",
    ),
    SeedReply(
        "hours",
        "Opening hours",
        _SHOP,
        "Our shop is open every day from nine in the morning to nine in the evening.",
        "Մեր խանութը բաց է ամեն օր, առավոտյան իննից մինչև երեկոյան ինը։",
    ),
    SeedReply(
        "offer",
        "An offer for an office",
        _SALES,
        "Dear {{customer.first_name|customer}},\n\nthank you for asking. For offices we bring beans every week, and the "
        "machine is ours to look after. How many cups do you drink on a day?\n\n{{agent.name}}",
        subject=("Coffee for your office", ""),
        queue="Sales",
    ),
    SeedReply(
        "shift",
        "My shift ends",
        "",
        "My shift ends in a few minutes. A colleague goes on from here and has read everything.",
        is_own=True,
    ),
)


def write_canned_replies(tx: Tx, supervisor: Viewer, agent: Viewer, queue_ids: Mapping[str, int]) -> None:
    for each in REPLIES:
        english, armenian = each.subject or ("", "")
        texts = [CannedText("en", each.en, english or None)]
        if each.hy is not None:
            texts.append(CannedText("hy", each.hy, armenian or None))
        wanted = Wanted(
            title=each.title,
            code=each.code,
            folder=each.folder,
            scope="personal" if each.is_own else "all" if each.queue is None else "queues",
            queue_ids=() if each.queue is None else (queue_ids[each.queue],),
            texts=tuple(texts),
        )
        create_reply(tx, agent if each.is_own else supervisor, wanted)
