"""Webhooks of alerts: a signed POST to an address that an administrator named (webhooks.guarded_post says within which
bounds).

    X-Hub-Timestamp   seconds since 1970
    X-Hub-Signature   sha256=HEX, the HMAC-SHA256 of "TIMESTAMP.BODY" with the rule's secret: whoever gets it computes the
                      same, compares, and refuses what is older than some minutes (a replay)
    X-Hub-Delivery    the same at every try of one message

Any 2xx is success. 408, 425, 429, 5xx and silence are tried again (Unavailable); any other answer is a refusal.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from hub.errors import Refused, Unavailable
from hub.webhooks.guarded_post import guarded_post

_AGAIN = frozenset({408, 425, 429})


def signature(secret: str, timestamp: int, body: bytes) -> str:
    digest = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


async def post_webhook(
    url: str, secret: str, body: bytes, *, delivery_id: str, now: datetime, may_be_private: bool
) -> None:
    """Refused: do not repeat; Unavailable: repeat later. Their messages are for people, and name no address."""
    timestamp = int(now.timestamp())
    headers = {
        "X-Hub-Timestamp": str(timestamp),
        "X-Hub-Signature": signature(secret, timestamp, body),
        "X-Hub-Delivery": delivery_id,
    }
    try:
        answer = await guarded_post(url, body, headers, may_be_private=may_be_private)
    except Unavailable as error:
        raise Unavailable("The webhook does not answer.", code="webhook_away") from error
    if 200 <= answer.status < 300:
        return
    if answer.status in _AGAIN or answer.status >= 500:
        code = str(answer.status)
        raise Unavailable(f"The webhook answered {code}.", code="webhook_away", provider_code=code)
    raise Refused(f"The webhook answered {answer.status}.", code="webhook_refused", provider_code=str(answer.status))
