"""Writes the corpus: one .eml per message and expected.json beside them. Run it from the root of the project:

    python tests/payloads/mail/make.py

Every message is written here by hand after the habits of real programs; people, firms and numbers are invented. What is
expected of each stands beside it and was never computed by the parser. Keys of an expectation:

    text        the whole text, exactly            text_has    pieces that it must hold (HTML alone: layout is free)
    written     what a person would say was written this time (default: the whole text)
    senders, to, cc, reply_to                      [address, name] each
    parts       [name, media type, size, inline]   noise, noise_word, report, fault, sent_at, subject …

Names of files say the sender's program or the structure, then the language.
"""

# ruff: noqa: E501 (a message's lines are what they are)

from __future__ import annotations

import base64
import binascii
import json
import struct
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
US = "support@hub.example"
EXPECTED: dict[str, dict[str, Any]] = {}


def encoded(text: str, charset: str = "utf-8", encoding: str = "b") -> str:
    """An encoded word (RFC 2047)."""
    raw = text.encode(charset)
    if encoding == "b":
        return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    return f"=?{charset}?Q?{''.join(chr(c) if chr(c).isalnum() and c < 128 else f'={c:02X}' for c in raw)}?="


def b64(content: bytes) -> bytes:
    return base64.encodebytes(content).strip()


def qp(content: bytes) -> bytes:
    return binascii.b2a_qp(content).rstrip(b"\n")


def part(content_type: str, body: bytes | str, encoding: str = "", *more: str, charset: str = "utf-8") -> bytes:
    """One part: its fields, an empty line, its body under the transfer encoding."""
    content = body.encode(charset) if isinstance(body, str) else body
    fields = [f"Content-Type: {content_type}", *([f"Content-Transfer-Encoding: {encoding}"] if encoding else []), *more]
    packed = {"base64": b64, "quoted-printable": qp}.get(encoding, bytes)(content)
    return "\n".join(fields).encode() + b"\n\n" + packed


def multi(kind: str, boundary: str, *parts: bytes, more: str = "", closed: bool = True) -> bytes:
    """A multipart as a part: its Content-Type field, an empty line, and the parts."""
    body = b"".join(b"--" + boundary.encode() + b"\n" + one + b"\n" for one in parts)
    end = b"--" + boundary.encode() + b"--\n" if closed else b""
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"{more}\n\n'.encode() + body + end


def plain(text: str, encoding: str = "8bit", charset: str = "utf-8") -> bytes:
    return part(f"text/plain; charset={charset}", text, encoding, charset=charset)


def page(html: str, encoding: str = "quoted-printable", charset: str = "utf-8") -> bytes:
    return part(f'text/html; charset="{charset}"', html, encoding, charset=charset)


def mail(name: str, fields: str, body: bytes, *, crlf: bool = True, **expected: Any) -> None:
    """One message of the corpus: its own fields, then a part (whose fields go on), and what is expected."""
    raw = fields.strip("\n").encode() + b"\n" + body
    write(name, raw.replace(b"\n", b"\r\n") if crlf else raw, **expected)


def write(name: str, raw: bytes, **expected: Any) -> None:
    assert name not in EXPECTED, name
    (HERE / f"{name}.eml").write_bytes(raw)
    EXPECTED[name] = expected


def who(address: str, name: str = "") -> list[str]:
    return [address, name]


def head(sender: str, subject: str, number: int, *more: str, to: str = f"<{US}>", date: str = "") -> str:
    """The usual fields of a message; `number` makes its id and minute."""
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Date: {date or f'Mon, 02 Nov 2026 10:{number % 60:02}:00 +0400'}",
        f"Message-ID: <m{number}@mail.example.com>",
        "MIME-Version: 1.0",
        *more,
    ]
    return "\n".join(lines)


REPLY = ("In-Reply-To: <q1@hub.example>", "References: <q0@hub.example>\n <q1@hub.example>")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


# --- people and their programs ----------------------------------------------------------------------------------------


def gmail(
    name: str, number: int, sender: list[str], subject: str, text: str, line: str, quoted: str, *, is_reply: bool = True
) -> None:
    """Gmail's two versions: text with "> ", HTML with a gmail_quote."""
    quote = "\n".join(f"> {one}".rstrip() for one in quoted.split("\n"))
    whole = f"{text}\n\n{line}\n\n{quote}"
    html = (
        f'<div dir="ltr">{text.replace(chr(10), "<br>")}</div><br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">{line.replace("<", "&lt;").replace(">", "&gt;")}<br></div>'
        f'<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">{quoted.replace(chr(10), "<br>")}'
        "</blockquote></div>\n"
    )
    mail(
        name,
        head(f"{encoded(sender[1])} <{sender[0]}>", encoded(subject), number, *REPLY),
        multi("alternative", f"000000000000{number:04x}", plain(whole, "base64"), page(html)),
        subject=subject,
        senders=[sender],
        in_reply_to=["q1@hub.example"],
        references=["q0@hub.example", "q1@hub.example"],
        text=whole,
        written=text,
        html_has=["gmail_quote"],
    )


def clients() -> None:
    mail(
        "gmail_web_en_new",
        head(
            "Nora Field <nora.field@example.com>",
            "Delivery to Gyumri",
            1,
            "X-Mailer: none",
            date="Mon, 2 Nov 2026 10:15:30 +0400",
        ),
        multi(
            "alternative",
            "000000000000abcd01",
            part('text/plain; charset="UTF-8"', "Hello,\n\ndo you deliver to Gyumri on Saturdays?\n\nNora\n"),
            part(
                'text/html; charset="UTF-8"',
                '<div dir="ltr"><div>Hello,</div><div><br></div><div>do you deliver to Gyumri on Saturdays?</div></div>',
            ),
        ),
        subject="Delivery to Gyumri",
        senders=[who("nora.field@example.com", "Nora Field")],
        to=[who(US)],
        recipients=[US],
        message_id="m1@mail.example.com",
        sent_at="2026-11-02T06:15:30+00:00",
        text="Hello,\n\ndo you deliver to Gyumri on Saturdays?\n\nNora",
        html_has=["<div>Hello,</div>"],
    )
    gmail(
        "gmail_web_uk_reply",
        2,
        who("olena@example.com", "Олена Коваль"),
        "Re: Ваше замовлення №1182",
        "Доброго дня!\nТак, підтверджую доставку на завтра.",
        "пн, 2 лист. 2026 р. о 10:15 Підтримка <support@hub.example> пише:",
        "Вітаємо, Олено!\nПідтвердьте, будь ласка, доставку.\n\nСлужба підтримки",
    )
    gmail(
        "gmail_web_ru_reply",
        3,
        who("sergey@example.com", "Сергей Орлов"),
        "Re: Возврат товара",
        "Здравствуйте!\nЧек я потерял, можно без него?",
        "пн, 2 нояб. 2026 г. в 10:15, Поддержка <support@hub.example>:",
        "Сергей, пришлите, пожалуйста, фото чека.",
    )
    gmail(
        "gmail_android_hy_reply",
        4,
        who("ani@example.com", "Անի Սարգսյան"),
        "Re: Պատվեր 4471",
        "Բարև ձեզ,\nշնորհակալություն, ստացա պատվերը։",
        "Երկ, 2 նոյ, 2026 թ․, 10:15, Սպասարկում <support@hub.example> գրել է.",
        "Հարգելի Անի,\nձեր պատվերն ուղարկված է։",
    )
    gmail(
        "gmail_ios_ka_reply",
        5,
        who("nino@example.com", "ნინო ბერიძე"),
        "Re: შეკვეთა 77",
        "გამარჯობა,\nროდის მივიღებ ამანათს?",
        "ორშ, 2 ნოე, 2026, 10:15-ზე მხარდაჭერა <support@hub.example>-მა დაწერა:",
        "თქვენი შეკვეთა გზაშია.",
    )
    gmail(
        "gmail_web_az_reply",
        6,
        who("aysel@example.com", "Aysel Məmmədova"),
        "Re: Sifariş 90",
        "Salam,\nçatdırılma nə vaxt olacaq? Ünvan dəyişib.",
        "support@hub.example, 2 noy 2026, B.e., 10:15 tarixində yazdı:",
        "Sifarişiniz qəbul edildi.",
    )
    gmail(
        "gmail_web_en_reply",
        7,
        who("tom@example.com", "Tom Reed"),
        "Re: Your invoice",
        "Thanks, that is the right amount.",
        "On Mon, Nov 2, 2026 at 10:15 AM Hub Support <support@hub.example> wrote:",
        "Dear Tom,\nthe invoice is attached.\n\n--\nHub Support",
    )
    gmail(
        "gmail_web_ar_reply",
        8,
        who("layla@example.com", "ليلى حداد"),
        "Re: طلب رقم 12",
        "مرحبا،\nنعم، العنوان صحيح.",
        "في الاثنين، 2 نوفمبر 2026 في 10:15 ص تمت كتابة ما يلي بواسطة الدعم <support@hub.example>:",
        "هل العنوان صحيح؟",
    )
    gmail(
        "gmail_web_tr_reply",
        9,
        who("emre@example.com", "Emre Şahin"),
        "Re: Sipariş iptali",
        "Merhaba,\niade işlemini başlatabilir misiniz?",
        "Destek <support@hub.example>, 2 Kas 2026 Pzt, 10:15 tarihinde şunu yazdı:",
        "Siparişiniz iptal edildi.",
    )
    gmail(
        "gmail_web_fr_reply",
        10,
        who("claire@example.com", "Claire Dubé"),
        "Re: Votre commande",
        "Bonjour,\nc'est bien reçu, merci beaucoup.",
        "Le lun. 2 nov. 2026 à 10:15, Support <support@hub.example> a écrit :",
        "Votre commande est partie.",
    )

    # A sign-off with a name below it is a signature.
    written = "Hi team,\n\nthe second box never arrived. Can you check?"
    text = f"{written}\n\nBest regards,\nMark Hill\nPurchasing, Example Ltd."
    old = (
        "-----Original Message-----\nFrom: Hub Support <support@hub.example>\nSent: Monday, November 2, 2026 10:15 AM\n"
        "To: Mark Hill <mark.hill@example.com>\nSubject: Your order 5521\n\nYour order has left our warehouse."
    )
    mail(
        "outlook_desktop_en_reply",
        head(
            '"Hill, Mark" <mark.hill@example.com>',
            "RE: Your order 5521",
            11,
            *REPLY,
            "Thread-Index: AdpxAAAB",
            "X-Mailer: Microsoft Outlook 16.0",
            "Content-Language: en-us",
        ),
        part('text/plain;\n\tcharset="us-ascii"', f"{text}\n\n{old}\n", "7bit"),
        senders=[who("mark.hill@example.com", "Hill, Mark")],
        text=f"{text}\n\n{old}",
        written=written,
    )
    written = "Guten Tag,\n\nbitte stornieren Sie die Bestellung. Größe 42 passt nicht."
    text = f"{written}\n\nMit freundlichen Grüßen\nJürgen Weiß"
    old = (
        "Von: Hub Support <support@hub.example>\nGesendet: Montag, 2. November 2026 10:15\nAn: Jürgen Weiß <j.weiss@example.com>\n"
        "Betreff: Ihre Bestellung\n\nIhre Bestellung ist unterwegs."
    )
    mail(
        "outlook_desktop_de_reply",
        head(
            f"{encoded('Jürgen Weiß', 'iso-8859-1', 'q')} <j.weiss@example.com>",
            encoded("AW: Ihre Bestellung – Größe", "windows-1252", "q"),
            12,
            *REPLY,
        ),
        multi(
            "alternative",
            "_000_AS8PR01MB0001eurprd01prod_",
            plain(f"{text}\n\n{old}\n", "quoted-printable", "iso-8859-1"),
            page(
                '<html xmlns:o="urn:schemas-microsoft-com:office:office"><body lang="DE"><div class="WordSection1">'
                f'<p class="MsoNormal">{text.replace(chr(10), "<br>")}</p>'
                '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
                f'<p class="MsoNormal">{old.replace("<", "&lt;").replace(">", "&gt;").replace(chr(10), "<br>")}</p></div></div></body></html>',
                charset="iso-8859-1",
            ),
        ),
        subject="AW: Ihre Bestellung – Größe",
        senders=[who("j.weiss@example.com", "Jürgen Weiß")],
        text_has=[written.partition("\n")[0], "Mit freundlichen Grüßen", "Ihre Bestellung ist unterwegs."],
        written=written,
    )
    written = "Bonjour,\n\nje n'ai toujours pas reçu le colis."
    text = f"{written}\n\nCordialement,\nÉmile Zorn"
    old = (
        "________________________________\nDe : Support <support@hub.example>\nEnvoyé : lundi 2 novembre 2026 10:15\n"
        "À : Émile Zorn <emile@example.com>\nObjet : Votre colis\n\nVotre colis est en route."
    )
    mail(
        "outlook_web_fr_reply",
        head(f"{encoded('Émile Zorn')} <emile@example.com>", encoded("RE: Votre colis"), 13, *REPLY),
        multi(
            "alternative",
            "_000_DB9P0001_",
            plain(f"{text}\n{old}\n", "quoted-printable"),
            page(
                f'<div class="elementToProof">{text.replace(chr(10), "<br>")}</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%">'
                f'<div id="divRplyFwdMsg" dir="ltr">{old[33:].replace("<", "&lt;").replace(">", "&gt;").replace(chr(10), "<br>")}</div>'
            ),
        ),
        senders=[who("emile@example.com", "Émile Zorn")],
        text_has=["je n'ai toujours pas reçu le colis.", "Votre colis est en route."],
        written=written,
    )
    text = "Merhaba, adresim değişti. Yeni adres: Çiçek Sokağı 5, İzmir."
    old = "________________________________\nGönderen: Destek <support@hub.example>\nGönderildi: Pazartesi, Kasım 2, 2026 10:15\nKime: Ayşe Yılmaz <ayse@example.com>\nKonu: Siparişiniz\n\nSiparişiniz hazır."
    mail(
        "outlook_ios_tr_reply",
        head(
            f"{encoded('Ayşe Yılmaz', 'iso-8859-9')} <ayse@example.com>",
            encoded("Ynt: Siparişiniz", "iso-8859-9", "q"),
            14,
            *REPLY,
        ),
        plain(f"{text}\n\niOS için Outlook'u alın\n{old}\n", "quoted-printable", "iso-8859-9"),
        subject="Ynt: Siparişiniz",
        senders=[who("ayse@example.com", "Ayşe Yılmaz")],
        text=f"{text}\n\niOS için Outlook'u alın\n{old}",
        written=text,
    )
    text = "Ja, bitte schicken Sie es mir."
    quoted = "Am 02.11.2026 um 10:15 schrieb Hub Support <support@hub.example>:\n\n> Möchten Sie ein neues Gerät?"
    mail(
        "apple_iphone_de_reply",
        head("Petra Klein <petra@example.com>", "Re: Reklamation", 15, *REPLY, "X-Mailer: iPhone Mail (20H115)"),
        part("text/plain; charset=utf-8", f"{text}\n\nVon meinem iPhone gesendet\n\n{quoted}\n", "quoted-printable"),
        text=f"{text}\n\nVon meinem iPhone gesendet\n\n{quoted}",
        written=text,
    )
    text = "Merci, c'est parfait !"
    quoted = "Le 2 nov. 2026 à 10:15, Support <support@hub.example> a écrit :\n\n> Nous avons remboursé la commande."
    mail(
        "apple_mac_fr_reply",
        head("Luc Martin <luc@example.com>", "Re: Remboursement", 16, *REPLY, "X-Mailer: Apple Mail (2.3774.600.62)"),
        multi(
            "alternative",
            "Apple-Mail=_8A1B",
            plain(f"{text}\n\n{quoted}\n", "quoted-printable"),
            page(
                f'<html><body style="overflow-wrap: break-word;">{text}<br><div><br><blockquote type="cite">'
                "<div>Le 2 nov. 2026 à 10:15, Support &lt;support@hub.example&gt; a écrit :</div><br>"
                "<div>Nous avons remboursé la commande.</div></blockquote></div></body></html>"
            ),
        ),
        text_has=[text, "a écrit :", "Nous avons remboursé la commande."],
        written=text,
    )
    mail(
        "apple_mac_en_picture_between_texts",
        head("Luc Martin <luc@example.com>", "Broken lamp", 17, "X-Mailer: Apple Mail (2.3774.600.62)"),
        multi(
            "mixed",
            "Apple-Mail=_99",
            part("text/plain; charset=us-ascii", "This is the lamp:\n", "7bit"),
            part("image/png; name=lamp.png", PNG, "base64", "Content-Disposition: inline; filename=lamp.png"),
            part("text/plain; charset=us-ascii", "It broke on the first day.\n", "7bit"),
        ),
        text="This is the lamp:\n\nIt broke on the first day.",
        parts=[["lamp.png", "image/png", len(PNG), False]],
    )
    text = "No, I would like my money back."
    quoted = "On Monday, November 2, 2026 at 10:15:00 AM GMT+4, Hub Support <support@hub.example> wrote:\n\n Would you take another colour?"
    mail(
        "yahoo_en_reply",
        head("Kate Moor <kate@example.com>", "Re: Refund", 18, *REPLY, "X-Mailer: WebService/1.1.22839 YMailNorrin"),
        multi(
            "alternative",
            "----=_Part_1_2.3",
            plain(f" {text}\n\n    {quoted}\n", "7bit"),
            page(
                f'<div class="yahoo-style-wrap"><div dir="ltr">{text}</div></div><div id="yahoo_quoted_1" class="yahoo_quoted">'
                f"<div>{quoted.partition(chr(10))[0].replace('<', '&lt;').replace('>', '&gt;')}</div>"
                "<div><br></div><div>Would you take another colour?</div></div>"
            ),
        ),
        text_has=[text, "Would you take another colour?"],
        written=text,
    )
    text = "Dzień dobry,\n\nproszę o fakturę na firmę. Żółta łódź była świetna."
    quoted = "W dniu 02.11.2026 o 10:15, Wsparcie pisze:\n> Czy potrzebuje Pan faktury?"
    mail(
        "thunderbird_pl_reply",
        head(
            f"{encoded('Łukasz Żak')} <lukasz@example.com>",
            "Re: Faktura",
            19,
            *REPLY,
            "User-Agent: Mozilla Thunderbird",
        ),
        part(
            "text/plain; charset=UTF-8; format=flowed",
            f"{text}\n\n{quoted}\n\n-- \nŁukasz Żak\ntel. 600 000 000\n",
            "8bit",
        ),
        senders=[who("lukasz@example.com", "Łukasz Żak")],
        text=f"{text}\n\n{quoted}\n\n-- \nŁukasz Żak\ntel. 600 000 000",
        written=text,
    )
    mail(
        "thunderbird_en_flowed",
        head("Ben Gray <ben@example.com>", "A long question", 20, "User-Agent: Mozilla Thunderbird"),
        part(
            "text/plain; charset=UTF-8; format=flowed; delsp=no",
            "This paragraph was wrapped by the program \nbecause lines on the wire are short.\n\n> Quoted words that \n> go on here.\n>> Deeper\n From here on stuffed.\n-- \nBen\n",
            "7bit",
        ),
        text="This paragraph was wrapped by the program because lines on the wire are short.\n\n> Quoted words that go on here.\n>> Deeper\nFrom here on stuffed.\n-- \nBen",
        written="This paragraph was wrapped by the program because lines on the wire are short.\n\nFrom here on stuffed.",
    )
    mail(
        "thunderbird_ja_flowed_delsp",
        head(f"{encoded('山田 太郎', 'iso-2022-jp')} <taro@example.com>", encoded("配送について", "iso-2022-jp"), 21),
        part(
            "text/plain; charset=iso-2022-jp; format=flowed; delsp=yes",
            "お世話になって \nおります。山田です。\n",
            "7bit",
            charset="iso-2022-jp",
        ),
        subject="配送について",
        senders=[who("taro@example.com", "山田 太郎")],
        text="お世話になっております。山田です。",
    )
    text = "Добрый день! Посылка пришла, но коробка помята."
    quoted = "Понедельник, 2 ноября 2026, 10:15 +04:00 от Поддержка <support@hub.example>:\n \nПосылка доставлена?"
    mail(
        "mailru_ru_reply",
        head(
            f"=?UTF-8?B?{base64.b64encode('Анна Белова'.encode()).decode()}?= <anna@example.com>",
            encoded("Re: Посылка"),
            22,
            *REPLY,
            "X-Mailer: Mail.Ru Mailer 1.0",
        ),
        multi(
            "alternative",
            "--ALT--abc1700000000",
            plain(f"\n{text}\n\n--\nАнна Белова\n\n{quoted}\n", "base64"),
            page(
                f'<HTML><BODY><div>{text}</div><div data-signature-widget="container">--<br>Анна Белова</div><blockquote style="border-left:1px solid #0857A6">{quoted.replace("<", "&lt;")}</blockquote></BODY></HTML>',
                "base64",
            ),
        ),
        senders=[who("anna@example.com", "Анна Белова")],
        text_has=[text, "Анна Белова", "Посылка доставлена?"],
        written=text,
    )
    text = "Спасибо, вопрос решён."
    quoted = '02.11.2026, 10:15, "Поддержка" <support@hub.example>:\n\nПроверьте, пожалуйста, ещё раз.'
    mail(
        "yandex_ru_reply",
        head(
            f"{encoded('Игорь Ёлкин', 'utf-8')} <igor@example.com>",
            encoded("Re: Настройка"),
            23,
            *REPLY,
            "X-Mailer: Yamail [ http://yandex.ru ] 5.0",
        ),
        page(
            f"<div>{text}</div><div> </div><div>{quoted.split(chr(10))[0].replace('<', '&lt;').replace('>', '&gt;')}</div><blockquote><p>Проверьте, пожалуйста, ещё раз.</p></blockquote>",
            "base64",
        ),
        text_has=[text, "Проверьте, пожалуйста, ещё раз."],
        written=text,
    )
    text = "Вітаю! Оплату надіслано, перевірте, будь ласка."
    quoted = '2 листопада 2026, 10:15:21, від "Підтримка" <support@hub.example>:\n\nОчікуємо на оплату.'
    mail(
        "ukrnet_uk_reply",
        head(
            f"{encoded('Тарас Іваненко')} <taras@example.com>",
            encoded("Re: Оплата"),
            24,
            *REPLY,
            "X-Mailer: mail.ukr.net 5.0",
        ),
        plain(f"{text}\n\n\n{quoted}\n", "base64"),
        text=f"{text}\n\n\n{quoted}",
        written=text,
    )
    text = "Дякую, зрозуміла. Чекаю на дзвінок."
    quoted = '--- Оригінальне повідомлення ---\nВід кого: "Підтримка" <support@hub.example>\nДата: 2 листопада 2026, 10:15:21\n\nМи вам зателефонуємо.'
    mail(
        "iua_uk_reply_koi8u",
        head(f"{encoded('Ґалина Їжак', 'koi8-u')} <halyna@example.com>", encoded("Re: Дзвінок", "koi8-u"), 25, *REPLY),
        plain(f"{text}\n\n{quoted}\n", "8bit", "koi8-u"),
        subject="Re: Дзвінок",
        senders=[who("halyna@example.com", "Ґалина Їжак")],
        text=f"{text}\n\n{quoted}",
        written=text,
    )
    text = "Yes please, call me after 6."
    quoted = "-------- Original message --------\nFrom: Hub Support <support@hub.example>\nDate: 02/11/2026 10:15 (GMT+04:00)\nTo: joe@example.com\nSubject: Call back\n\nShall we call you?"
    mail(
        "samsung_en_reply",
        head("Joe Park <joe@example.com>", "Re: Call back", 26, *REPLY),
        plain(f"{text}\n\nSent from my Galaxy\n\n\n{quoted}\n", "base64"),
        text=f"{text}\n\nSent from my Galaxy\n\n\n{quoted}",
        written=text,
    )
    text = "The update worked."
    quoted = "On November 2, 2026 10:15:00 AM GMT+04:00, Hub Support <support@hub.example> wrote:\n>Please update the app.\n>\n>Hub Support"
    mail(
        "k9_en_reply",
        head("Ivy Stone <ivy@example.com>", "Re: App", 27, *REPLY, "User-Agent: K-9 Mail for Android"),
        plain(
            f"{text}\n\n{quoted}\n-- \nSent from my Android device with K-9 Mail. Please excuse my brevity.\n",
            "quoted-printable",
        ),
        text=f"{text}\n\n{quoted}\n-- \nSent from my Android device with K-9 Mail. Please excuse my brevity.",
        written=text,
    )
    text = "שלום,\nההזמנה לא הגיעה. תודה."
    quoted = "מאת: תמיכה <support@hub.example>\nנשלח: יום שני 2 נובמבר 2026 10:15\nאל: dana@example.com\nנושא: הזמנה\n\nההזמנה נשלחה."
    mail(
        "outlook_he_reply",
        head(
            f"{encoded('דנה לוי', 'windows-1255')} <dana@example.com>", encoded("RE: הזמנה", "windows-1255"), 28, *REPLY
        ),
        plain(f"{text}\n\n{quoted}\n", "8bit", "windows-1255"),
        subject="RE: הזמנה",
        senders=[who("dana@example.com", "דנה לוי")],
        text=f"{text}\n\n{quoted}",
        written=text,
    )
    text = "您好，货还没有收到，请查一下。"
    quoted = '------------------ 原始邮件 ------------------\n发件人: "客服" <support@hub.example>;\n发送时间: 2026年11月2日(星期一) 上午10:15\n收件人: "王芳" <wang@example.com>;\n主题: 订单\n\n您的订单已发货。'
    mail(
        "qq_zh_reply_gb18030",
        head(
            f"{encoded('王芳', 'gb18030')} <wang@example.com>",
            encoded("回复：订单", "gb18030"),
            29,
            *REPLY,
            "X-QQ-MIME: TCMime 1.0 by Tencent",
        ),
        part('text/plain;\n\tcharset="gb18030"', f"{text}\n\n{quoted}\n", "base64", charset="gb18030"),
        subject="回复：订单",
        senders=[who("wang@example.com", "王芳")],
        text=f"{text}\n\n{quoted}",
        written=text,
    )
    text = "承知しました。よろしくお願いします。"
    quoted = "2026年11月2日(月) 10:15 サポート <support@hub.example>:\n\n> ご確認ください。"
    mail(
        "apple_iphone_ja_reply",
        head(
            f"{encoded('佐藤 花子', 'utf-8')} <hanako@example.com>",
            encoded("Re: ご注文"),
            30,
            *REPLY,
            "X-Mailer: iPhone Mail (20H115)",
        ),
        plain(f"{text}\n\niPhoneから送信\n\n{quoted}\n", "base64"),
        text=f"{text}\n\niPhoneから送信\n\n{quoted}",
        written=text,
    )
    text = "Բարև ձեզ, երբ կլինի առաքումը։"
    mail(
        "mailru_hy_new",
        head(f"{encoded('Գոռ Պետրոսյան')} <gor@example.com>", encoded("Առաքում"), 31),
        plain(text + "\n", "base64"),
        subject="Առաքում",
        senders=[who("gor@example.com", "Գոռ Պետրոսյան")],
        text=text,
    )
    text = "Salam, kreditin faizini öyrənmək istəyirəm. Zəhmət olmasa cavab yazın."
    mail(
        "outlook_com_az_new",
        head(f"{encoded('Kamran Əliyev')} <kamran@example.com>", encoded("Kredit sualı"), 32),
        plain(text + "\n", "quoted-printable"),
        senders=[who("kamran@example.com", "Kamran Əliyev")],
        text=text,
    )
    mail(
        "sms_gateway",
        head("+37491000000 <37491000000@sms.example.test>", "SMS from +37491000000", 33),
        part("text/plain", "Call me pls. 5 min late", ""),
        senders=[who("37491000000@sms.example.test", "+37491000000")],
        text="Call me pls. 5 min late",
    )
    mail(
        "web_form",
        head(
            "Web form <wordpress@shop.example>",
            "New enquiry",
            34,
            "Reply-To: Jane Poe <jane@example.com>",
            "X-Mailer: PHPMailer 6.9",
            "Auto-Submitted: auto-generated",
        ),
        plain("Name: Jane Poe\nPhone: +374 91 000000\n\nDo you repair scooters?\n", "8bit"),
        senders=[who("wordpress@shop.example", "Web form")],
        reply_to=[who("jane@example.com", "Jane Poe")],
        text="Name: Jane Poe\nPhone: +374 91 000000\n\nDo you repair scooters?",
        noise="automatic",
        noise_word="auto-submitted",
    )
    mail(
        "shop_order",
        head(
            "Shop <no-reply@shop.example>",
            "Order #100045",
            35,
            "X-Auto-Response-Suppress: All",
            "Feedback-ID: 1:shop:orders",
        ),
        multi(
            "alternative",
            "_av-1",
            plain("Order #100045\nTotal: 12,000 AMD\n"),
            page("<table><tr><td>Order #100045</td></tr><tr><td>Total: 12,000 AMD</td></tr></table>"),
        ),
        text="Order #100045\nTotal: 12,000 AMD",
        noise="automatic",
        noise_word="feedback-id",
    )


# --- charsets ---------------------------------------------------------------------------------------------------------

RU = "Здравствуйте! Подскажите, пожалуйста, когда придёт мой заказ?"
UK = "Доброго дня! Підкажіть, будь ласка, де моє замовлення і чий це ґанок?"
HY = "Բարև ձեզ, ուզում եմ իմանալ իմ պատվերի մասին։"
# ARMSCII-8A has neither the ligature nor the full stop of the others.
HY_DOS = "Բարեւ ձեզ, ուզում եմ իմանալ իմ պատվերի մասին"
KA = "გამარჯობა, მინდა გავიგო ჩემი შეკვეთის შესახებ."
AZ = "Salam, sifarişim haqqında məlumat verə bilərsiniz? Çox sağ olun, gözləyirəm."
TR = "Merhaba, siparişim nerede? Bugün ulaşacağını söylemiştiniz, teşekkürler. Işık"


def armscii8(text: str) -> bytes:
    table = {chr(code): 0xB2 + 2 * (code - 0x531) for code in range(0x531, 0x557)}
    table |= {chr(code): 0xB3 + 2 * (code - 0x561) for code in range(0x561, 0x587)} | {
        "և": 0xA2,
        "։": 0xA3,
        "՞": 0xB1,
        "՜": 0xAF,
        "՛": 0xB0,
    }
    return bytes(table.get(letter, ord(letter) if letter < "\x80" else 0x3F) for letter in text)


def armscii8a(text: str) -> bytes:
    """The DOS order: 23 pairs from 80, 15 from E0."""

    def code(letter: str) -> int:
        for first, small in ((0x531, 0), (0x561, 1)):
            place = ord(letter) - first
            if 0 <= place < 38:
                return (0x80 + 2 * place if place < 23 else 0xE0 + 2 * (place - 23)) + small
        return ord(letter) if letter < "\x80" else 0x3F

    return bytes(map(code, text))


def georgian(text: str, order: str) -> bytes:
    return bytes(0xC0 + order.index(letter) if letter in order else ord(letter) for letter in text)


GEO_PS = "აბგდევზჱთიკლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵ"
GEO_ACADEMY = "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ"


def charset(
    name: str,
    number: int,
    label: str | None,
    raw: bytes,
    text: str,
    *,
    subject: str = "Question",
    told: str = "Question",
    **expected: Any,
) -> None:
    content_type = "text/plain" if label is None else f"text/plain; charset={label}"
    mail(
        name,
        head("A. Customer <a.customer@example.com>", subject, number),
        part(content_type, raw + b"\n", "8bit"),
        subject=told,
        text=text,
        **expected,
    )


def charsets() -> None:
    charset(
        "charset_windows_1251",
        40,
        "windows-1251",
        RU.encode("cp1251"),
        RU,
        subject=encoded("Заказ", "windows-1251", "q"),
        told="Заказ",
    )
    charset("charset_koi8_r", 41, "koi8-r", RU.encode("koi8-r"), RU, subject=encoded("Заказ", "koi8-r"), told="Заказ")
    charset("charset_koi8_r_holding_ukrainian", 42, "koi8-r", UK.encode("koi8-u"), UK)
    charset("charset_iso_8859_5", 43, "iso-8859-5", RU.encode("iso8859-5"), RU)
    charset("charset_cp866", 44, "cp866", RU.encode("cp866"), RU)
    charset("charset_cp866_without_label", 45, None, RU.encode("cp866"), RU)
    charset("charset_windows_1251_without_label", 46, None, RU.encode("cp1251"), RU)
    charset("charset_windows_1251_called_latin1", 47, "iso-8859-1", UK.encode("cp1251"), UK)
    charset("charset_koi8_called_windows_1251", 48, "windows-1251", RU.encode("koi8-r"), RU)
    charset("charset_utf8_called_latin1", 49, "iso-8859-1", HY.encode(), HY)
    charset("charset_utf8_called_us_ascii", 50, "us-ascii", KA.encode(), KA)
    charset("charset_windows_1251_called_utf8", 51, "utf-8", RU.encode("cp1251"), RU)
    charset("charset_armscii8", 52, "ArmSCII-8", armscii8(HY), HY)
    charset("charset_armscii8_without_label", 53, None, armscii8(HY), HY)
    charset("charset_armscii8a", 54, "armscii-8a", armscii8a(HY_DOS), HY_DOS)
    charset("charset_geostd8", 55, "GEOSTD8", georgian(KA, GEO_PS), KA)
    charset("charset_geo_academy_called_geo_ps", 56, "GEO-PS", georgian(KA, GEO_ACADEMY), KA)
    charset("charset_geostd8_without_label", 57, "x-unknown", georgian(KA, GEO_PS), KA)
    charset("charset_windows_1254_tr", 58, "windows-1254", TR.encode("cp1254"), TR)
    charset("charset_iso_8859_9_tr", 59, '"ISO-8859-9"', TR.encode("iso8859-9"), TR)
    charset("charset_windows_1254_called_latin1", 60, "iso-8859-1", TR.encode("cp1254"), TR)
    charset(
        "charset_windows_1254_az_without_schwa",
        61,
        "windows-1254",
        AZ.replace("ə", "e").encode("cp1254"),
        AZ.replace("ə", "e"),
    )
    charset("charset_utf8_az", 62, "utf8mb4", AZ.encode(), AZ)
    charset("charset_utf_7", 63, "unicode-1-1-utf-7", RU.encode("utf-7"), RU)
    charset("charset_gb2312", 64, "gb2312", "您好，我的订单在哪里？".encode("gb18030"), "您好，我的订单在哪里？")
    charset("charset_big5", 65, "big5", "您好，請問我的訂單在哪裡？".encode("big5"), "您好，請問我的訂單在哪裡？")
    charset("charset_shift_jis", 66, "Shift_JIS", "荷物はまだ届きません。".encode("cp932"), "荷物はまだ届きません。")
    charset(
        "charset_euc_kr",
        67,
        "ks_c_5601-1987",
        "주문이 아직 도착하지 않았습니다.".encode("cp949"),
        "주문이 아직 도착하지 않았습니다.",
    )
    charset(
        "charset_iso_2022_jp_without_label",
        68,
        None,
        "注文の確認をお願いします。".encode("iso-2022-jp"),
        "注文の確認をお願いします。",
    )
    charset("charset_made_up_label", 69, '"default"', UK.encode(), UK)
    charset(
        "charset_windows_1250_pl_called_latin1",
        70,
        "iso-8859-1",
        "Zamówienie wysłane, dziękuję państwu.".encode("cp1250"),
        "Zamówienie wysłane, dziękuję państwu.",
    )
    mail(
        "charset_utf_16",
        head("A <a@example.com>", "x", 71),
        part("text/plain; charset=utf-16", ("\ufeff" + RU).encode("utf-16-le"), "base64"),
        text=RU,
    )
    mail(
        "charset_utf_16be_without_mark",
        head("A <a@example.com>", "x", 72),
        part("text/plain; charset=utf-16be", UK.encode("utf-16-be"), "base64"),
        text=UK,
    )
    write(
        "charset_8bit_headers_windows_1251",
        "From: Иван Петров <ivan@example.com>\r\nTo: support@hub.example\r\nSubject: Вопрос по доставке заказа\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\n".encode(
            "cp1251"
        )
        + RU.encode("cp1251"),
        subject="Вопрос по доставке заказа",
        senders=[who("ivan@example.com", "Иван Петров")],
        text=RU,
    )
    cut = base64.b64encode("Довга тема листа про замовлення".encode()).decode()
    mail(
        "subject_words_cut_within_a_letter",
        head("A <a@example.com>", f"=?utf-8?B?{cut[:20]}?=\n =?utf-8?B?{cut[20:]}?=", 73),
        plain("x"),
        subject="Довга тема листа про замовлення",
        text="x",
    )
    mail(
        "subject_q_words_cut_within_a_letter",
        head("A <a@example.com>", "=?utf-8?Q?=D0=9F=D1=80=D0?=\n =?utf-8?Q?=B8=D0=B2=D1=96=D1=82?= and more", 74),
        plain("x"),
        subject="Привіт and more",
        text="x",
    )
    mail(
        "html_only_label_in_meta",
        head("A <a@example.com>", "x", 75),
        part(
            "text/html",
            f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1251"></head><body><p>{RU}</p></body></html>',
            "base64",
            charset="cp1251",
        ),
        text_has=[RU],
        html_has=[RU],
    )


# --- structures -------------------------------------------------------------------------------------------------------


def tnef() -> bytes:
    def attribute(level: int, key: int, value: bytes) -> bytes:
        return struct.pack("<BII", level, key, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)

    def unicode(key: int, text: str) -> bytes:
        raw = text.encode("utf-16-le") + b"\0\0"
        return struct.pack("<HHII", 0x001F, key, 1, len(raw)) + raw + b"\0" * (-len(raw) % 4)

    names = struct.pack("<I", 2) + unicode(0x3707, "Договір №5.pdf") + unicode(0x370E, "application/pdf")
    return (
        struct.pack("<IH", 0x223E9F78, 1)
        + attribute(1, 0x00069007, struct.pack("<II", 1251, 0))
        + attribute(1, 0x0002800C, "Текст у winmail.dat\0".encode("cp1251"))
        + attribute(2, 0x00069002, b"\1\0" + b"\0" * 12)
        + attribute(2, 0x00018010, b"DOGOV~1.PDF\0")
        + attribute(2, 0x0006800F, PDF)
        + attribute(2, 0x00069005, names)
        + attribute(2, 0x00069002, b"\1\0" + b"\0" * 12)
        + attribute(2, 0x00018010, "звіт.txt\0".encode("cp1251"))
        + attribute(2, 0x0006800F, b"12345")
    )


CALENDAR = (
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:Asia/Yerevan\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
    "SUMMARY:Showroom visit\\, second\r\n  floor\r\nDTSTART;TZID=Asia/Yerevan:20261105T110000\r\nDTEND;TZID=Asia/Yerevan:20261105T113000\r\n"
    'LOCATION:Abovyan 1\\, Yerevan\r\nORGANIZER;CN="Mark Hill":mailto:mark.hill@example.com\r\nBEGIN:VALARM\r\nSUMMARY:no\r\nEND:VALARM\r\n'
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
).replace("\r\n", "\n")
FORWARDED = (
    b"From: Old Friend <old@example.com>\nTo: someone@example.com\nSubject: The first letter\n"
    b"Content-Type: text/plain\n\nWords of another mail.\n"
)
NAMES = "text/plain; charset=utf-8"


def structures() -> None:
    sender = "Rita Moss <rita@example.com>"
    mail(
        "related_inline_image",
        head(sender, "Screenshot", 80),
        multi(
            "related",
            "rel1",
            multi(
                "alternative",
                "alt1",
                plain("See the picture.\n[image: shot.png]\n"),
                page('<p>See the picture.</p><img src="cid:ii_abc123">'),
            ),
            part(
                'image/png; name="shot.png"',
                PNG,
                "base64",
                "Content-ID: <ii_abc123>",
                'Content-Disposition: inline; filename="shot.png"',
            ),
            more='; type="multipart/alternative"',
        ),
        text="See the picture.\n[image: shot.png]",
        html_has=["cid:ii_abc123"],
        parts=[["shot.png", "image/png", len(PNG), True]],
    )
    mail(
        "related_root_is_not_first",
        head(sender, "Start", 81),
        multi(
            "related",
            "rel2",
            part("image/png", PNG, "base64", "Content-ID: <pic@x>"),
            part("text/html", "<p>Root text <img src='cid:pic%40x'></p>", "", "Content-ID: <root@x>"),
            more='; start="<root@x>"; type="text/html"',
        ),
        text_has=["Root text"],
        parts=[["image.png", "image/png", len(PNG), True]],
    )
    mail(
        "mixed_files_with_names",
        head(sender, "Papers", 82),
        multi(
            "mixed",
            "mix1",
            plain("Here are the papers.\n"),
            part(
                "application/pdf",
                PDF,
                "base64",
                "Content-Disposition: attachment; filename*=utf-8''%D0%94%D0%BE%D0%B3%D0%BE%D0%B2%D1%96%D1%80.pdf",
            ),
            part(
                f'application/pdf; name="{encoded("Պայմանագիր.pdf")}"', PDF, "base64", "Content-Disposition: attachment"
            ),
            part(
                "application/pdf",
                PDF,
                "base64",
                "Content-Disposition: attachment;\n filename*0*=utf-8''%E1%83%AE%E1%83%94;\n filename*1*=%E1%83%9A.pd;\n filename*2=f",
            ),
            part(
                'image/png; name="C:\\Users\\rita\\photo.png"',
                PNG,
                "base64",
                'Content-Disposition: attachment; filename="C:\\Users\\rita\\photo.png"',
            ),
            part(
                "application/octet-stream",
                b"MZ",
                "base64",
                "Content-Disposition: attachment; filename*=utf-8''invoice%E2%80%AEfdp.exe",
            ),
            part("image/jpeg", b"jpeg", "base64", "Content-Disposition: attachment"),
            part(
                "text/plain; charset=utf-8", "notes", "", "Content-Disposition: attachment; filename=../../etc/passwd"
            ),
        ),
        text="Here are the papers.",
        parts=[
            ["Договір.pdf", "application/pdf", len(PDF), False],
            ["Պայմանագիր.pdf", "application/pdf", len(PDF), False],
            ["ხელ.pdf", "application/pdf", len(PDF), False],
            ["photo.png", "image/png", len(PNG), False],
            ["invoicefdp.exe", "application/octet-stream", 2, False],
            ["image.jpg", "image/jpeg", 4, False],
            ["passwd", "text/plain", 5, False],
        ],
    )
    mail(
        "file_name_of_three_hundred_letters",
        head(sender, "Long", 83),
        multi(
            "mixed",
            "mix2",
            plain("x"),
            part("application/pdf", PDF, "base64", f'Content-Disposition: attachment; filename="{"n" * 300}.pdf"'),
        ),
        text="x",
        parts=[["n" * 116 + ".pdf", "application/pdf", len(PDF), False]],
    )
    mail(
        "winmail_dat",
        head(sender, "From Outlook", 84),
        multi(
            "mixed",
            "mix3",
            plain(""),
            part(
                'application/ms-tnef; name="winmail.dat"',
                tnef(),
                "base64",
                'Content-Disposition: attachment; filename="winmail.dat"',
            ),
        ),
        text="Текст у winmail.dat",
        parts=[["Договір №5.pdf", "application/pdf", len(PDF), False], ["звіт.txt", "text/plain", 5, False]],
    )
    mail(
        "winmail_dat_broken",
        head(sender, "From Outlook", 85),
        multi(
            "mixed",
            "mix4",
            plain("See the file."),
            part('application/ms-tnef; name="winmail.dat"', b"no tnef at all", "base64"),
        ),
        text="See the file.",
        parts=[["winmail.dat", "application/ms-tnef", 14, False]],
        fault="tnef_unreadable",
    )
    mail(
        "calendar_invitation_alone",
        head(sender, "Invitation", 86),
        part('text/calendar; charset="utf-8"; method=REQUEST', CALENDAR, "base64"),
        text="Showroom visit, second floor\n2026-11-05 11:00 (Asia/Yerevan) – 2026-11-05 11:30 (Asia/Yerevan)\nAbovyan 1, Yerevan\nMark Hill <mark.hill@example.com>",
        parts=[["invite.ics", "text/calendar", len(CALENDAR), False]],
    )
    mail(
        "calendar_invitation_among_alternatives",
        head(sender, "Invitation", 87),
        multi(
            "alternative",
            "alt2",
            plain("You are invited."),
            page("<p>You are invited.</p>"),
            part("text/calendar; charset=utf-8; method=REQUEST", CALENDAR, "base64"),
        ),
        text="You are invited.",
        parts=[["invite.ics", "text/calendar", len(CALENDAR), False]],
    )
    mail(
        "forwarded_as_attachment",
        head(sender, "Fwd: letter", 88),
        multi("mixed", "mix5", plain("Please read this."), part("message/rfc822", FORWARDED, "")),
        text="Please read this.",
        parts=[["The first letter.eml", "message/rfc822", len(FORWARDED.replace(b"\n", b"\r\n")), False]],
    )
    mail(
        "digest",
        head(sender, "Digest", 89),
        multi(
            "mixed",
            "mix6",
            plain("Two letters."),
            multi("digest", "dig", b"\n" + FORWARDED, b"\n" + FORWARDED.replace(b"first", b"second")),
        ),
        text="Two letters.",
        parts=[
            ["The first letter.eml", "message/rfc822", len(FORWARDED) + 6, False],
            ["The second letter.eml", "message/rfc822", len(FORWARDED) + 7, False],
        ],
    )
    mail(
        "smime_signed",
        head(sender, "Signed", 90),
        multi(
            "signed",
            "sig1",
            plain("Signed words.\n"),
            part(
                'application/pkcs7-signature; name="smime.p7s"',
                b"0\x80signature",
                "base64",
                'Content-Disposition: attachment; filename="smime.p7s"',
            ),
            more='; protocol="application/pkcs7-signature"; micalg=sha-256',
        ),
        text="Signed words.",
        parts=[["smime.p7s", "application/pkcs7-signature", 11, False]],
    )
    mail(
        "smime_opaque",
        head(sender, "Encrypted", 91),
        part("application/pkcs7-mime; smime-type=enveloped-data", b"0\x80enveloped", "base64"),
        text="",
        parts=[["smime.p7m", "application/pkcs7-mime", 11, False]],
    )
    mail(
        "pgp_mime_encrypted",
        head(sender, "...", 92),
        multi(
            "encrypted",
            "pgp1",
            part("application/pgp-encrypted", "Version: 1\n", ""),
            part(
                'application/octet-stream; name="encrypted.asc"',
                "-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----\n",
                "",
                'Content-Disposition: inline; filename="encrypted.asc"',
            ),
            more='; protocol="application/pgp-encrypted"',
        ),
        text="",
        parts=[
            ["version.asc", "application/pgp-encrypted", 12, False],
            ["encrypted.asc", "application/octet-stream", 61, False],
        ],
    )
    armour = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nI agree.\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----"
    mail("pgp_inline", head(sender, "Signed by hand", 93), plain(armour + "\n"), text=armour)
    mail(
        "pgp_mime_signed",
        head(sender, "Signed", 94),
        multi(
            "signed",
            "pgp2",
            plain("My words."),
            part('application/pgp-signature; name="signature.asc"', "-----BEGIN PGP SIGNATURE-----\n", ""),
            more="; micalg=pgp-sha256",
        ),
        text="My words.",
        parts=[["signature.asc", "application/pgp-signature", 31, False]],
    )
    uu = "Look:\nbegin 644 a.txt\n#0V%T\n`\nend"
    mail("uuencoded_in_text", head(sender, "uu", 95), plain(uu + "\n"), text=uu)
    mail(
        "no_subject",
        "From: rita@example.com\nTo: support@hub.example\nContent-Type: text/plain",
        b"\nHello\n",
        subject="",
        text="Hello",
    )
    mail(
        "no_from_but_sender",
        "Sender: Rita <rita@example.com>\nSubject: x",
        b"\nHello\n",
        senders=[who("rita@example.com", "Rita")],
        text="Hello",
    )
    mail("no_from_at_all", "Subject: x\nDate: nonsense", b"\nHello\n", senders=[], sent_at=None, text="Hello")
    mail(
        "several_from",
        'From: "Moss, Rita" <rita@example.com>, Bob <bob@example.com>\nSender: rita@example.com\nSubject: x',
        b"\nHi\n",
        senders=[who("rita@example.com", "Moss, Rita"), who("bob@example.com", "Bob")],
        text="Hi",
    )
    mail(
        "no_content_type",
        head(sender, "Plain", 96),
        b"\n\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd1\x96\xd1\x82\n",
        text="Привіт",
    )
    mail(
        "groups_comments_and_wrecks",
        "From: Rita (the one) Moss <rita@example.com> (home)\nTo: undisclosed-recipients:;\nCc: Team: ann@example.com, Bob <bob@example.com>;, carl@example.com (Carl C.)\n"
        "Reply-To: =?utf-8?B?"
        + base64.b64encode("Ріта <reply@example.com>".encode()).decode()
        + '?=\nBcc: "=?utf-8?Q?=D0=94=D1=96=D0=BC?=" <dim@example.com>, , nobody\nSubject: x',
        b"\nHi\n",
        senders=[who("rita@example.com", "Rita Moss")],
        to=[],
        cc=[who("ann@example.com"), who("bob@example.com", "Bob"), who("carl@example.com", "Carl C.")],
        reply_to=[who("reply@example.com", "Ріта")],
        text="Hi",
    )
    mail(
        "idn_and_smtputf8",
        "From: =?utf-8?B?"
        + base64.b64encode("Пошта".encode()).decode()
        + "?= <Info@xn--e1afmkfd.xn--p1ai>\nTo: Գոռ <գոռ@փոստ.example>\nCc: Straße@EXAMPLE.com\nDelivered-To: support@hub.example\nSubject: x",
        b"\nHi\n",
        senders=[who("info@пример.рф", "Пошта")],
        to=[who("գոռ@փոստ.example", "Գոռ")],
        cc=[who("straße@example.com")],
        recipients=["support@hub.example", "գոռ@փոստ.example", "straße@example.com"],
        text="Hi",
    )
    mail(
        "boundary_never_closed",
        head(sender, "Cut", 97),
        multi(
            "mixed",
            "cut1",
            plain("First."),
            part("application/pdf", PDF, "base64", "Content-Disposition: attachment; filename=a.pdf"),
            closed=False,
        ),
        text="First.",
        parts=[["a.pdf", "application/pdf", len(PDF), False]],
    )
    mail(
        "boundary_of_another_name",
        head(sender, "Wrong", 98),
        multi("mixed", "told", plain("First."), part("image/png", PNG, "base64")).replace(b"--told", b"--found-42"),
        text="First.",
        parts=[["image.png", "image/png", len(PNG), False]],
    )
    mail(
        "boundary_missing",
        head(sender, "None", 99),
        b"Content-Type: multipart/mixed\n\nJust words, no parts.\n",
        text="Just words, no parts.",
    )
    mail(
        "boundary_of_the_outer_inside",
        head(sender, "Same", 100),
        multi(
            "mixed",
            "same",
            multi("alternative", "same2", plain("Inner."), closed=False),
            part("image/png", PNG, "base64"),
        ),
        text="Inner.",
        parts=[["image.png", "image/png", len(PNG), False]],
    )
    cut = b64(PDF)[:-3]
    mail(
        "base64_cut",
        head(sender, "Cut", 101),
        b"Content-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64\n\n"
        + cut,
        text="",
        parts=[["a.pdf", "application/pdf", len(PDF) - 3, False]],
    )
    write(
        "bare_cr",
        b"From: rita@example.com\rSubject: Old Mac\rContent-Type: text/plain\r\rOne\rTwo\r",
        subject="Old Mac",
        text="One\nTwo",
    )
    write(
        "line_ends_doubled_by_a_gateway",
        b"From: rita@example.com\r\r\nSubject: Doubled\r\r\n\r\r\nOne\r\r\nTwo\r\r\n",
        subject="Doubled",
        text="One\nTwo",
    )
    write(
        "mbox_line_first",
        b"From rita@example.com Mon Nov  2 10:15:00 2026\nFrom: rita@example.com\nSubject: Box\n\nHi\n",
        subject="Box",
        text="Hi",
    )
    write(
        "byte_order_mark_first",
        b"\xef\xbb\xbfFrom: rita@example.com\r\nSubject: BOM\r\n\r\nHi\r\n",
        subject="BOM",
        senders=[who("rita@example.com")],
        text="Hi",
    )
    write(
        "blank_line_missing",
        b"From: rita@example.com\nSubject: Short\nDear all, where is my parcel?\nThanks\n",
        subject="Short",
        text="Dear all, where is my parcel?\nThanks",
    )
    write(
        "badly_folded_subject",
        b"From: rita@example.com\nSubject: A subject that was\nfolded badly\nTo: support@hub.example\nX-Mailer: x\n\nHi\n",
        subject="A subject that was folded badly",
        to=[who(US)],
        text="Hi",
    )
    mail(
        "html_only_outlook",
        head(sender, "HTML", 102),
        page(
            "<html><head><style>p{color:red}</style></head><body><p>Good day,</p><p>the <b>price</b> is wrong &amp; old.</p></body></html>",
            "8bit",
        ),
        text_has=["Good day,", "price", "is wrong & old."],
        html_has=["<b>price</b>"],
    )
    mail(
        "amp_alternative",
        head(sender, "AMP", 103),
        multi(
            "alternative",
            "amp",
            plain("Text."),
            part("text/x-amp-html; charset=utf-8", "<html amp4email></html>"),
            page("<p>Text.</p>"),
        ),
        text="Text.",
        html_has=["<p>Text.</p>"],
    )
    mail(
        "date_with_two_digit_year",
        head(sender, "Old", 104, date="2 Nov 26 10:15 GMT"),
        plain("x"),
        text="x",
        sent_at="2026-11-02T10:15:00+00:00",
    )
    mail(
        "exchange_footer_in_a_second_part",
        head(sender, "Footer", 105),
        multi("mixed", "foot", plain("The question."), plain("This mail is confidential.")),
        text="The question.\n\nThis mail is confidential.",
        written="The question.\n\nThis mail is confidential.",
    )


# --- machines ---------------------------------------------------------------------------------------------------------


def noises() -> None:
    mail(
        "auto_reply_exchange_en",
        head(
            "Mark Hill <mark.hill@example.com>",
            "Automatic reply: Your order 5521",
            110,
            "In-Reply-To: <q1@hub.example>",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
        ),
        plain("I am out of the office until Monday.\n"),
        text="I am out of the office until Monday.",
        noise="auto_reply",
        noise_word="auto-submitted",
    )
    mail(
        "auto_reply_exchange_de",
        head(
            "Jürgen Weiß <j.weiss@example.com>".replace("ü", "ue").replace("ß", "ss"),
            encoded("Automatische Antwort: Ihre Bestellung"),
            111,
            "X-Auto-Response-Suppress: All",
        ),
        plain("Ich bin bis zum 9. November nicht im Büro.\n"),
        text="Ich bin bis zum 9. November nicht im Büro.",
        noise="auto_reply",
        noise_word="x-auto-response-suppress",
    )
    mail(
        "auto_reply_gmail_vacation",
        head(
            "Nora Field <nora.field@example.com>",
            "Re: Delivery",
            112,
            *REPLY,
            "Precedence: bulk",
            "X-Autoreply: yes",
            "Auto-Submitted: auto-replied",
        ),
        plain("I'm on holiday.\n"),
        text="I'm on holiday.",
        noise="auto_reply",
        noise_word="auto-submitted",
    )
    mail(
        "auto_reply_cpanel_uk",
        "Return-Path: <>\n" + head("olena@example.com", encoded("Автовідповідь: Замовлення"), 113),
        plain("Я у відпустці до 10 листопада.\n"),
        text="Я у відпустці до 10 листопада.",
        noise="auto_reply",
        noise_word="return-path",
    )
    mail(
        "auto_reply_old_ru",
        head("ivan@example.com", encoded("Автоответ"), 114, "Precedence: auto_reply"),
        plain("Я в отпуске.\n"),
        text="Я в отпуске.",
        noise="auto_reply",
        noise_word="precedence",
    )
    mail(
        "auto_reply_sieve_hy",
        head("ani@example.com", encoded("Ինքնապատասխան. Պատվեր"), 115, "Auto-Submitted: auto-replied (vacation)"),
        plain("Արձակուրդում եմ։\n"),
        text="Արձակուրդում եմ։",
        noise="auto_reply",
        noise_word="auto-submitted",
    )
    mail(
        "person_who_suppresses_auto_replies",
        head("Mark Hill <mark.hill@example.com>", "Question", 116, "X-Auto-Response-Suppress: DR, OOF, AutoReply"),
        plain("Is it in stock?\n"),
        text="Is it in stock?",
        noise="none",
    )
    mail(
        "person_on_vacation_writes",
        head("ivan@example.com", encoded("В отпуске сломался телефон"), 117),
        plain("Что делать?\n"),
        text="Что делать?",
        noise="none",
    )
    mail(
        "list_person_through_a_list",
        head(
            "Nora <nora@example.com>",
            "[shop] Question",
            118,
            "List-Id: Shop talk <shop.lists.example>",
            "List-Post: <mailto:shop@lists.example>",
            "Precedence: list",
        ),
        plain("Anybody?\n"),
        text="Anybody?",
        noise="list",
        noise_word="list-id",
    )
    mail(
        "list_newsletter",
        head(
            "News <news@example.com>",
            "Sale!",
            119,
            "List-Unsubscribe: <https://example.com/u>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "Auto-Submitted: auto-generated",
        ),
        page("<h1>Sale!</h1>"),
        text_has=["Sale!"],
        noise="list",
        noise_word="list-unsubscribe",
    )
    mail(
        "alarm_from_a_monitor",
        head("Monitor <alarm@example.com>", "PROBLEM: disk full", 120, "Auto-Submitted: auto-generated"),
        plain("Disk full on host7.\n"),
        text="Disk full on host7.",
        noise="automatic",
        noise_word="auto-submitted",
    )
    mail(
        "read_receipt",
        head("Mark <mark.hill@example.com>", "Read: Your order", 121),
        multi(
            "report",
            "mdn",
            plain("Your message was read."),
            part(
                "message/disposition-notification",
                "Final-Recipient: rfc822;mark.hill@example.com\nOriginal-Message-ID: <q1@hub.example>\nDisposition: manual-action/MDN-sent-manually; displayed\n",
                "",
            ),
            more="; report-type=disposition-notification",
        ),
        text="Your message was read.",
        noise="auto_reply",
        noise_word="content-type",
        parts=[["disposition-notification.txt", "message/disposition-notification", 143, False]],
    )
    mail(
        "own_mail_coming_back",
        head(f"Hub Support <{US}>", "Your order", 122),
        plain("Your order has left.\n"),
        text="Your order has left.",
        noise="own",
        noise_word="from",
    )


RETURNED = "Return-Path: <support@hub.example>\nFrom: Hub Support <support@hub.example>\nTo: gone@example.com\nSubject: Your order\nMessage-ID: <out-77@hub.example>\n\nYour order has left.\n"


def report(
    name: str,
    number: int,
    sender: str,
    subject: str,
    human: str,
    status: str,
    returned: bytes,
    *more: str,
    **expected: Any,
) -> None:
    mail(
        name,
        "Return-Path: <>\n" + head(sender, subject, number, *more),
        multi(
            "report",
            f"rep{number}",
            plain(human),
            part("message/delivery-status", status, ""),
            returned,
            more="; report-type=delivery-status",
        ),
        noise="report",
        noise_word="content-type",
        parts=...,
        text_has=[human.split("\n", maxsplit=1)[0]],
        **expected,
    )


def failed(
    recipient: str | None, status: str | None, detail: str | None, word: str = "failed", action: str | None = "failed"
) -> dict[str, Any]:
    return {"recipient": recipient, "word": word, "action": action, "status": status, "detail": detail}


def reports() -> None:
    whole = part("message/rfc822", RETURNED, "", "Content-Description: Undelivered Message")
    heads = part("text/rfc822-headers", RETURNED.partition("\n\n")[0] + "\n", "")
    report(
        "bounce_postfix",
        130,
        "MAILER-DAEMON@mx.example.com (Mail Delivery System)",
        "Undelivered Mail Returned to Sender",
        "This is the mail system at host mx.example.com.",
        "Reporting-MTA: dns; mx.example.com\nX-Postfix-Queue-ID: 4AB\nOriginal-Envelope-Id: env+2B77\nArrival-Date: Mon,  2 Nov 2026 10:15:00 +0400\n\n"
        "Final-Recipient: rfc822; gone@example.com\nOriginal-Recipient: rfc822;gone@example.com\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mail.example.com\nDiagnostic-Code: smtp; 550 5.1.1 <gone@example.com>:\n    Recipient address rejected: User unknown\n",
        whole,
        "Auto-Submitted: auto-replied",
        report={
            "recipients": [
                failed(
                    "gone@example.com",
                    "5.1.1",
                    "550 5.1.1 <gone@example.com>: Recipient address rejected: User unknown",
                )
            ],
            "original_message_id": "out-77@hub.example",
            "envelope_id": "env+77",
        },
    )
    report(
        "bounce_exchange_uk",
        131,
        "postmaster@corp.example",
        encoded("Недоставлено: Your order"),
        "Не вдалося доставити повідомлення.",
        "Reporting-MTA: dns;EX01.corp.example\n\nFinal-recipient: RFC822; gone@corp.example\nAction: failed\nStatus: 5.7.1\nX-Supplementary-Info: x\n",
        heads,
        report={
            "recipients": [failed("gone@corp.example", "5.7.1", None)],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    report(
        "bounce_gmail",
        132,
        "Mail Delivery Subsystem <mailer-daemon@googlemail.test>",
        "Delivery Status Notification (Failure)",
        "** Address not found **",
        "Reporting-MTA: dns; googlemail.test\nArrival-Date: Mon, 02 Nov 2026 00:15:00 -0800 (PST)\n\nFinal-Recipient: rfc822; gone@example.com\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; gmail-smtp-in.test. (192.0.2.27, the server for the domain.)\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n",
        whole,
        "X-Failed-Recipients: gone@example.com",
        "Auto-Submitted: auto-replied",
        report={
            "recipients": [
                failed(
                    "gone@example.com", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist."
                )
            ],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    report(
        "report_delayed",
        133,
        "MAILER-DAEMON@mx.example.com",
        "Delayed Mail (still being retried)",
        "This is the mail system. You do not need to resend.",
        "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; slow@example.com\nAction: delayed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect to example.com[192.0.2.1]:25: Connection timed out\nWill-Retry-Until: Sat,  7 Nov 2026 10:15:00 +0400\n",
        heads,
        report={
            "recipients": [
                failed(
                    "slow@example.com",
                    "4.4.1",
                    "connect to example.com[192.0.2.1]:25: Connection timed out",
                    "delayed",
                    "delayed",
                )
            ],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    report(
        "report_delivered_to_two",
        134,
        "MAILER-DAEMON@mx.example.com",
        "Successful Mail Delivery Report",
        "Your message was delivered.",
        "Reporting-MTA: dns; mx.example.com\nOriginal-Envelope-Id: d-9\n\nFinal-Recipient: rfc822; a@example.com\nAction: delivered\nStatus: 2.0.0\n\nFinal-Recipient: rfc822; hidden@other.example\nOriginal-Recipient: rfc822; b+2Bx@example.com\nAction: relayed\nStatus: 2.1.9\n",
        heads,
        report={
            "recipients": [
                failed("a@example.com", "2.0.0", None, "delivered", "delivered"),
                failed("b+x@example.com", "2.1.9", None, "relayed", "relayed"),
            ],
            "original_message_id": "out-77@hub.example",
            "envelope_id": "d-9",
        },
    )
    report(
        "bounce_with_pieces_missing",
        135,
        "MAILER-DAEMON@old.example",
        "failure notice",
        "Sorry.",
        "Final-Recipient: gone@example.com\nStatus: 5.0.0 (permanent failure)\n",
        part("image/png", PNG, "base64"),
        report={
            "recipients": [failed("gone@example.com", "5.0.0", None, "")],
            "original_message_id": None,
            "envelope_id": None,
        },
    )
    report(
        "bounce_with_an_unknown_action",
        136,
        "MAILER-DAEMON@old.example",
        "notice",
        "Strange.",
        "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; gone@example.com\nAction: quarantined\nStatus: 5.7.0\n",
        heads,
        report={
            "recipients": [failed("gone@example.com", "5.7.0", None, "quarantined", None)],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    mail(
        "bounce_within_a_list_footer",
        "Return-Path: <>\n" + head("MAILER-DAEMON@mx.example.com", "Undelivered", 137),
        multi(
            "mixed",
            "wrap",
            multi(
                "report",
                "inner",
                plain("It failed."),
                part(
                    "message/delivery-status",
                    "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; gone@example.com\nAction: failed\nStatus: 5.2.2\n",
                    "",
                ),
                heads,
                more="; report-type=delivery-status",
            ),
            plain("footer"),
        ),
        text="It failed.\n\nfooter",
        noise="report",
        parts=...,
        report={
            "recipients": [failed("gone@example.com", "5.2.2", None)],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    mail(
        "bounce_qmail",
        "Return-Path: <>\n"
        + head("MAILER-DAEMON@qmail.example", "failure notice", 138).replace("MIME-Version: 1.0", "X-Loop: no"),
        b"\nHi. This is the qmail-send program at qmail.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<gone@example.com>:\n192.0.2.5 does not like recipient.\nRemote host said: 550 5.1.1 No such user\nGiving up on 192.0.2.5.\n\n--- Below this line is a copy of the message.\n\n"
        + RETURNED.encode(),
        text_has=["Hi. This is the qmail-send program"],
        noise="report",
        noise_word="content-type",
        report={
            "recipients": [
                failed(
                    "gone@example.com",
                    "5.1.1",
                    "192.0.2.5 does not like recipient. Remote host said: 550 5.1.1 No such user Giving up on 192.0.2.5.",
                )
            ],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    mail(
        "bounce_exim_old",
        "Return-Path: <>\n"
        + head(
            "Mail Delivery System <Mailer-Daemon@exim.example>",
            "Mail delivery failed: returning message to sender",
            139,
            "X-Failed-Recipients: gone@example.com",
            "Auto-Submitted: auto-replied",
        ),
        plain(
            "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  gone@example.com\n    SMTP error from remote mail server after RCPT TO:<gone@example.com>:\n    550 5.1.1 User unknown\n\n------ This is a copy of the message, including all the headers. ------\n\n"
            + RETURNED
        ),
        text_has=["could not be delivered"],
        noise="report",
        report={
            "recipients": [
                failed(
                    "gone@example.com",
                    "5.1.1",
                    "SMTP error from remote mail server after RCPT TO:<gone@example.com>: 550 5.1.1 User unknown",
                )
            ],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    mail(
        "complaint_arf",
        head("Feedback loop <fbl@provider.test>", "FW: Your order", 140),
        multi(
            "report",
            "arf",
            plain("This is an email abuse report."),
            part(
                "message/feedback-report",
                "Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\nOriginal-Mail-From: <bounce@hub.example>\nOriginal-Rcpt-To: <angry@example.com>\nReceived-Date: Mon, 2 Nov 2026 10:15:00 +0400\n",
                "",
            ),
            whole,
            more="; report-type=feedback-report",
        ),
        text="This is an email abuse report.",
        noise="report",
        parts=...,
        report={
            "recipients": [failed("angry@example.com", None, "SomeGenerator/1.0", "abuse", "complaint")],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    mail(
        "complaint_arf_not_spam_without_recipient",
        head("fbl@provider.test", "Not spam", 141),
        multi(
            "report",
            "arf2",
            plain("Somebody said that it is no spam."),
            part("message/feedback-report", "Feedback-Type: not-spam\nVersion: 1\n", ""),
            heads.replace(b"gone@example.com", b"undisclosed"),
            more="; report-type=feedback-report",
        ),
        text="Somebody said that it is no spam.",
        noise="report",
        parts=...,
        report={
            "recipients": [failed(None, None, None, "not-spam", None)],
            "original_message_id": "out-77@hub.example",
            "envelope_id": None,
        },
    )
    mail(
        "person_forwards_a_bounce",
        head("Rita <rita@example.com>", "Fwd: what is this?", 142),
        multi(
            "mixed",
            "pf",
            plain("I got this, what does it mean?"),
            part("message/rfc822", (HERE / "bounce_postfix.eml").read_bytes().replace(b"\r\n", b"\n"), ""),
        ),
        text="I got this, what does it mean?",
        noise="none",
        report=None,
        parts=...,
    )


def main() -> None:
    for old in HERE.glob("*.eml"):
        old.unlink()
    for group in (clients, charsets, structures, noises, reports):
        group()
    table = {
        name: {key: value for key, value in expected.items() if value is not ...}
        | ({} if "parts" not in expected or expected["parts"] is not ... else {"any_parts": True})
        for name, expected in sorted(EXPECTED.items())
    }
    (HERE / "expected.json").write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
