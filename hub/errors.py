"""Every error of the hub, grouped by who must act.

    HubError
    ├── CallerError            the caller must change the request          4xx
    │   ├── InvalidInput           a field is wrong; `fields` names each   422
    │   │   ├── BadRequest         the body could not be read at all       400
    │   │   └── ReportTooLarge     more than is computed at once: narrow   422
    │   ├── Unauthenticated        nobody is signed in                     401
    │   ├── Forbidden              signed in, but not allowed              403
    │   ├── BadSignature           a provider's signature does not match   403
    │   ├── NotFound               there is no such thing (for you)        404
    │   ├── Conflict               somebody was faster, or state forbids   409
    │   │   └── IllegalMove            a state table has no such move      409
    │   ├── TooLarge               the body is over the limit              413
    │   └── TooMany                slow down; `retry_after_s` says how     429
    ├── OperatorError          whoever runs the hub must act               5xx
    │   ├── Misconfigured          a setting or a secret is wrong          500
    │   ├── Overloaded             more at once than this process holds    503
    │   └── DatabaseAway           the database does not answer            503
    └── ProviderError          a provider (Twilio, a mail relay …) failed; each answers "again?"
        ├── Refused                surely not sent, and never will be: do not repeat
        ├── Unavailable            surely not sent: repeat after `retry_after_s`
        └── Uncertain              may have been sent: never repeat blindly

Every error carries a machine `code` (clients switch on it), a `message` in words, and for callers `fields`: field name →
what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping


class HubError(Exception):
    """The root; `code` is stable, `message` is for people, `status` is what HTTP says."""

    code = "error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields: dict[str, str] = dict(fields or {})
        if code is not None:
            self.code = code


class CallerError(HubError):
    code = "bad_request"
    status = 400


class InvalidInput(CallerError):
    code = "invalid"
    status = 422


class BadRequest(InvalidInput):
    code = "bad_request"
    status = 400


class ReportTooLarge(InvalidInput):
    code = "report_too_large"


class Unauthenticated(CallerError):
    code = "unauthenticated"
    status = 401


class Forbidden(CallerError):
    code = "forbidden"
    status = 403


class BadSignature(CallerError):
    code = "bad_signature"
    status = 403


class NotFound(CallerError):
    code = "not_found"
    status = 404


class Conflict(CallerError):
    code = "conflict"
    status = 409


class IllegalMove(Conflict):
    """A state table has no such move; both states stand in the message."""

    code = "illegal_move"

    def __init__(self, machine: str, before: str, after: str) -> None:
        super().__init__(f"{machine}: no move from {before!r} to {after!r}")
        self.machine, self.before, self.after = machine, before, after


class TooLarge(CallerError):
    code = "too_large"
    status = 413


class TooMany(CallerError):
    code = "too_many"
    status = 429

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OperatorError(HubError):
    code = "internal"
    status = 500


class Misconfigured(OperatorError):
    code = "misconfigured"


class Overloaded(OperatorError):
    """Whoever asked may come again after `retry_after_s`."""

    code = "overloaded"
    status = 503

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DatabaseAway(OperatorError):
    code = "database_away"
    status = 503


class ProviderError(HubError):
    """A provider failed. `provider_code` is the provider's own word or number, kept for the agent and the log."""

    code = "provider"
    status = 502

    def __init__(self, message: str, *, code: str | None = None, provider_code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.provider_code = provider_code


class Refused(ProviderError):
    code = "refused"


class Unavailable(ProviderError):
    """`channel_works`: only this message has to wait (its recipient's mail box is full, its turn has not come); the channel
    itself is well, and nothing of it should count against its health."""

    code = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        code: str | None = None,
        provider_code: str | None = None,
        channel_works: bool = False,
    ) -> None:
        super().__init__(message, code=code, provider_code=provider_code)
        self.retry_after_s = retry_after_s
        self.channel_works = channel_works


class Uncertain(ProviderError):
    code = "uncertain"
