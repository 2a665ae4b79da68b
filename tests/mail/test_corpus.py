"""Every message of the corpus against what a person expects of it."""

import re
from dataclasses import asdict
from typing import Any

import pytest

from hub.domain.mail import IncomingMail, Mailbox
from hub.mail.parse import arrival_key, extract_part, parse_mail
from tests.mail.corpus import PAYLOADS, expectations, message, names

OWN = frozenset({"support@hub.example"})


def boxes(mailboxes: tuple[Mailbox, ...]) -> list[list[str]]:
    return [[mailbox.address, mailbox.name] for mailbox in mailboxes]


def told(mail: IncomingMail) -> dict[str, Any]:
    """A mail in the words of expected.json."""
    return {
        "subject": mail.subject,
        "senders": boxes(mail.senders),
        "to": boxes(mail.to),
        "cc": boxes(mail.cc),
        "reply_to": boxes(mail.reply_to),
        "recipients": list(mail.recipients),
        "message_id": mail.message_id,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "sent_at": mail.sent_at and mail.sent_at.isoformat(),
        "text": mail.text,
        "parts": [[part.name, part.media_type, part.size_bytes, part.is_inline] for part in mail.parts],
        "noise": mail.noise.value,
        "noise_word": mail.noise_word,
        "report": mail.report
        and {
            "recipients": [asdict(recipient) for recipient in mail.report.recipients],
            "original_message_id": mail.report.original_message_id,
            "envelope_id": mail.report.envelope_id,
        },
        "fault": mail.fault,
    }


# What is expected of a message that says nothing about it.
USUAL = {"noise": "none", "report": None, "fault": None}


@pytest.mark.parametrize("name", names())
def test_a_message_is_read_as_a_person_reads_it(name: str) -> None:
    expected = {**USUAL, **expectations()[name]}
    mail = told(parse_mail(message(name), own_addresses=OWN))
    assert {key: mail[key] for key in expected if key in mail} == {
        key: expected[key] for key in expected if key in mail
    }


@pytest.mark.parametrize("name", [name for name in names() if not expectations()[name].get("any_parts")])
def test_a_message_has_the_files_it_came_with(name: str) -> None:
    mail = told(parse_mail(message(name), own_addresses=OWN))
    assert mail["parts"] == expectations()[name].get("parts", [])


@pytest.mark.parametrize("name", [name for name in names() if "text_has" in expectations()[name]])
def test_an_html_message_has_its_words_in_the_text(name: str) -> None:
    text = re.sub(r"\s+", " ", parse_mail(message(name)).text)
    assert [piece for piece in expectations()[name]["text_has"] if piece not in text] == []


@pytest.mark.parametrize("name", [name for name in names() if "html_has" in expectations()[name]])
def test_the_html_is_kept_as_it_came(name: str) -> None:
    html = parse_mail(message(name)).html or ""
    assert [piece for piece in expectations()[name]["html_has"] if piece not in html] == []


@pytest.mark.parametrize("name", names())
def test_every_file_of_a_message_can_be_taken_out(name: str) -> None:
    raw = message(name)
    for part in parse_mail(raw).parts:
        found = extract_part(raw, part.number)
        assert (found[0], found[1], len(found[2])) == (part.name, part.media_type, part.size_bytes)


def test_every_message_has_a_key_of_its_own() -> None:
    assert len({arrival_key(message(name)) for name in names()}) == len(names())


def test_the_corpus_is_whole() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.eml")} == set(names())
    assert len(names()) >= 85
    assert sum(path.stat().st_size for path in PAYLOADS.iterdir() if path.is_file()) < 1_000_000
