"""Who wrote: a person, a machine, a list, ourselves."""

import pytest

from hub.domain.mail import Noise
from hub.mail.parse import parse_mail

OWN = frozenset({"support@hub.example"})


def judged(*fields: str, sender: str = "Ann <ann@example.com>", subject: str = "Question") -> tuple[Noise, str | None]:
    raw = "\r\n".join([f"From: {sender}", f"Subject: {subject}", *fields, "", "Hello"])
    mail = parse_mail(raw.encode(), own_addresses=OWN)
    return mail.noise, mail.noise_word


ANSWERS = "In-Reply-To: <q@hub.example>"


@pytest.mark.parametrize(
    ("fields", "noise", "word"),
    [
        ((), Noise.NONE, None),
        (("Auto-Submitted: no",), Noise.NONE, None),
        (("Auto-Submitted: auto-replied",), Noise.AUTO_REPLY, "auto-submitted"),
        (('Auto-Submitted: auto-replied; owner-email="ann@example.com"',), Noise.AUTO_REPLY, "auto-submitted"),
        (("Auto-Submitted: Auto-Replied (vacation)",), Noise.AUTO_REPLY, "auto-submitted"),
        (("Auto-Submitted: auto-generated",), Noise.AUTOMATIC, "auto-submitted"),
        (("Auto-Submitted: auto-notified",), Noise.AUTOMATIC, "auto-submitted"),
        (("Auto-Submitted: auto-something-new",), Noise.AUTOMATIC, "auto-submitted"),
        (("Auto-Submitted: auto-generated", ANSWERS, "Return-Path: <>"), Noise.AUTO_REPLY, "auto-submitted"),
        (("X-Autoreply: yes",), Noise.AUTO_REPLY, "x-autoreply"),
        (("X-Autoreply: no",), Noise.NONE, None),
        (("X-Autorespond: re",), Noise.AUTO_REPLY, "x-autorespond"),
        (("Precedence: auto_reply",), Noise.AUTO_REPLY, "precedence"),
        (("Precedence: bulk",), Noise.LIST, "precedence"),
        (("Precedence: bulk", ANSWERS), Noise.AUTO_REPLY, "precedence"),
        (("Precedence: list",), Noise.LIST, "precedence"),
        (("Precedence: junk",), Noise.AUTOMATIC, "precedence"),
        (("Precedence: first-class",), Noise.NONE, None),
        (("List-Id: <a.lists.example>",), Noise.LIST, "list-id"),
        (("List-Unsubscribe: <https://example.com>", "Precedence: bulk"), Noise.LIST, "list-unsubscribe"),
        (("Return-Path: <>",), Noise.AUTOMATIC, "return-path"),
        (("Return-Path: <>", ANSWERS), Noise.AUTO_REPLY, "return-path"),
        (("Return-Path: <ann@example.com>",), Noise.NONE, None),
        (("X-Auto-Response-Suppress: All",), Noise.NONE, None),
        (("X-Auto-Response-Suppress: DR, OOF", "Auto-Submitted: auto-generated"), Noise.AUTOMATIC, "auto-submitted"),
    ],
)
def test_headers_tell_machines_from_people(fields: tuple[str, ...], noise: Noise, word: str | None) -> None:
    assert judged(*fields) == (noise, word)


@pytest.mark.parametrize(
    ("words", "refuses"),
    [
        ("All", True),
        ("OOF", True),
        ("DR, RN, NRN, OOF, AutoReply", True),
        ("dr,autoreply", True),
        ("None", False),
        ("DR, NDR, RN, NRN", False),
        ("", False),
    ],
)
def test_a_person_may_want_no_automatic_answer(words: str, refuses: bool) -> None:
    raw = f"From: ann@example.com\r\nX-Auto-Response-Suppress: {words}\r\n\r\nHello"
    mail = parse_mail(raw.encode(), own_addresses=OWN)
    assert (mail.noise, mail.refuses_automatic_answers) == (Noise.NONE, refuses)


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Order",
        "Out of Office: Order",
        "Автоответ: заказ",
        "Автовідповідь: замовлення",
        "Ինքնապատասխան. պատվեր",
        "ავტომატური პასუხი: შეკვეთა",
        "Avtomatik cavab: sifariş",
        "Otomatik yanıt: sipariş",
        "Automatische Antwort: Bestellung",
        "Réponse automatique : commande",
        "Automatyczna odpowiedź: zamówienie",
        "自动回复: 订单",
    ],
)
def test_a_subject_of_an_absent_person_counts_only_with_another_sign(subject: str) -> None:
    assert judged(subject=subject)[0] is Noise.NONE
    assert judged("X-Auto-Response-Suppress: All", subject=subject) == (Noise.AUTO_REPLY, "x-auto-response-suppress")
    assert judged("Auto-Submitted: auto-generated", subject=subject) == (Noise.AUTO_REPLY, "auto-submitted")
    assert judged("Return-Path: <>", subject=subject) == (Noise.AUTO_REPLY, "return-path")


def test_our_own_mail_is_known_before_anything_else() -> None:
    assert judged("Auto-Submitted: auto-replied", sender="SUPPORT@hub.example") == (Noise.OWN, "from")


@pytest.mark.parametrize(
    "sender", ["no-reply@example.com", "noreply@example.com", "MAILER-DAEMON@example.com", "donotreply@example.com"]
)
def test_an_address_that_nobody_reads_is_a_machine(sender: str) -> None:
    assert judged(sender=sender) == (Noise.AUTOMATIC, "from")


def test_a_person_named_like_one_is_a_person() -> None:
    assert judged(sender="Norep Lyman <norep.lyman@example.com>")[0] is Noise.NONE


def test_who_waits_for_an_answer() -> None:
    assert parse_mail(b"From: a@example.com\nAuto-Submitted: auto-generated\n\nx").wants_answer
    assert not parse_mail(b"From: a@example.com\nAuto-Submitted: auto-replied\n\nx").wants_answer
