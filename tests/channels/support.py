"""What the tests of the channels share: accounts, captured payloads and how each provider signs them."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hub.channels import email, loopback, twilio
from hub.channels.channel import ChannelAccount, OutgoingFile, OutgoingMessage, WebhookRequest
from hub.domain.mail import Mailbox, MailKind, OutgoingMail
from hub.domain.values import ChannelKind

PAYLOADS = Path(__file__).parent.parent / "payloads"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PUBLIC_URL = "https://hub.example.com"
ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
SERVICE_SID = "MG" + "fedcba9876543210" * 2
AUTH_TOKEN = "demo-token"
SIGNING_KEY = "loopback-key"
NUMBER = "+15005550006"
CUSTOMER = "+37491234567"
DELIVERY_ID = "d-0123456789"
ADDRESS = "support@example.com"
WEBHOOK_KEY = "webhook-key"
TOKEN_KEY = b"the key of the tests' mail tokens"
# What the payloads under payloads/mime and payloads/mailgun are about.
MAIL_DELIVERY_ID = "Zk3v_0aQ-8sT1yWb2LxNcDeF"
THREAD = "k7m2q9"


def sms_account(*, token: str = AUTH_TOKEN, **settings: str) -> ChannelAccount:
    return ChannelAccount(
        id="sms-demo",
        kind=ChannelKind.SMS,
        settings={"account_sid": ACCOUNT_SID, "from_number": NUMBER, **settings},
        secrets={"auth_token": token},
        public_url=PUBLIC_URL,
        default_region="AM",
    )


def chat_account(**settings: str) -> ChannelAccount:
    return ChannelAccount("chat-demo", ChannelKind.CHAT, settings, {}, PUBLIC_URL)


def loopback_account(*, key: str = SIGNING_KEY) -> ChannelAccount:
    return ChannelAccount("loopback-demo", ChannelKind.LOOPBACK, {}, {"signing_key": key}, PUBLIC_URL)


def email_account(*, key: str = WEBHOOK_KEY, token_key: bytes = TOKEN_KEY, **settings: str) -> ChannelAccount:
    return ChannelAccount(
        id="email-demo",
        kind=ChannelKind.EMAIL,
        settings={"address": ADDRESS, "smtp_host": "127.0.0.1", "smtp_security": "none", **settings},
        secrets={"webhook_key": key},
        public_url=PUBLIC_URL,
        token_key=token_key,
    )


def mime_request(name: str) -> WebhookRequest:
    """tests/payloads/mime/{name}.eml, signed."""
    body = (PAYLOADS / "mime" / f"{name}.eml").read_bytes()
    request = WebhookRequest("mime", email_account().webhook_url("mime"), {"content-type": "message/rfc822"}, body, NOW)
    return signed_mime(request)


def signed_mime(request: WebhookRequest) -> WebhookRequest:
    signature = "sha256=" + hmac.digest(WEBHOOK_KEY.encode(), request.body, "sha256").hex()
    return replace(request, headers={**request.headers, email.SIGNATURE_HEADER: signature})


def mailgun_request(name: str) -> WebhookRequest:
    """tests/payloads/mailgun/{name}.form, signed within itself."""
    body = (PAYLOADS / "mailgun" / f"{name}.form").read_bytes()
    return WebhookRequest("mailgun-mime", email_account().webhook_url("mailgun-mime"), {}, body, NOW)


def twilio_request(name: str, *, query: str = "") -> WebhookRequest:
    """tests/payloads/twilio/{name}.form, as Twilio would post it."""
    body = (PAYLOADS / "twilio" / f"{name}.form").read_bytes()
    kind = name.partition("_")[0]
    url = sms_account().webhook_url(kind) + query
    return signed_by_twilio(
        WebhookRequest(kind, url, {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}, body, NOW)
    )


def signed_by_twilio(request: WebhookRequest) -> WebhookRequest:
    given = twilio.signature(request.url, twilio.form_pairs(request.body), AUTH_TOKEN)
    return replace(request, headers={**request.headers, "x-twilio-signature": given})


def loopback_request(name: str) -> WebhookRequest:
    """tests/payloads/loopback/{name}.json, signed."""
    body = (PAYLOADS / "loopback" / f"{name}.json").read_bytes()
    kind = name.partition("_")[0]
    headers = {"content-type": "application/json", loopback.SIGNATURE_HEADER: loopback.sign(body, SIGNING_KEY)}
    return WebhookRequest(kind, loopback_account().webhook_url(kind), headers, body, NOW)


def outgoing(text: str = "Hello", *files: OutgoingFile, delivery_id: str = DELIVERY_ID) -> OutgoingMessage:
    return OutgoingMessage(delivery_id, CUSTOMER, text, files, attempted_at=NOW)


def outgoing_mail(
    text: str = "Hello",
    *files: OutgoingFile,
    to: tuple[Mailbox, ...] = (Mailbox("ani@example.am", "Ani"),),
    cc: tuple[Mailbox, ...] = (),
    bcc: tuple[Mailbox, ...] = (),
    subject: str = "Re: Order 1042",
    kind: MailKind = MailKind.REPLY,
) -> OutgoingMessage:
    mail = OutgoingMail(kind, subject, THREAD, to, cc, bcc)
    recipient = to[0].address if to else ""
    return OutgoingMessage(MAIL_DELIVERY_ID, recipient, text, files, attempted_at=NOW, created_at=NOW, mail=mail)


def picture(size_bytes: int = 1_000, media_type: str = "image/jpeg") -> OutgoingFile:
    return OutgoingFile("picture.jpg", media_type, size_bytes, f"{PUBLIC_URL}/files/signed-token")
