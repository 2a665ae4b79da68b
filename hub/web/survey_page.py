"""The page behind a survey's link: `GET /s/{token}` shows the choice, `POST /s/{token}` stores it.

Scanners of mail servers follow every link, so nothing is stored by GET, whatever the link says. The page needs no script and
no cookie, names nobody, and tells nobody where its reader came from; search engines and caches are asked to leave it alone.
A link that is not ours and one whose survey is gone look the same. Where somebody of the house is signed in, nothing is
stored: an answer is the customer's.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hub.domain.values import SurveyKind
from hub.errors import Conflict, DatabaseAway, HubError, NotFound, TooMany
from hub.store import tables
from hub.store.database import Tx
from hub.surveys import answers, links, words
from hub.surveys.links import Named
from hub.surveys.replies import COMMENT_LIMIT
from hub.surveys.settings import find_setting
from hub.web.api import access_viewer, hub_of, read_body
from hub.web.throttle import Throttle

PUBLIC_ROUTES = {
    "/s/{token}": "a customer gives a score by the link of a mail; it is signed, ends, and shows nothing personal"
}

# A scanner asks for all eleven links of a mail at once; an office sits behind one address.
_REQUESTS_PER_WINDOW = 120
_WINDOW_S = 60.0
# The comment, four bytes a character, each written as %XX.
_FORM_LIMIT_BYTES = COMMENT_LIMIT * 12 + 1_000

_STYLE = """
:root{color-scheme:light dark;--text:#1c2024;--soft:#60646c;--back:#f4f5f7;--card:#fff;--line:#8b8d98;
--accent:#1d4ed8;--on:#fff}
@media(prefers-color-scheme:dark){:root{--text:#edeef0;--soft:#b0b4ba;--back:#111113;--card:#18191b;--line:#777b84;
--accent:#8fb4ff;--on:#0b1220}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:36rem;margin:6vh auto;padding:1.5rem;background:var(--card);border-radius:12px}
@media(max-width:40rem){main{margin:0;min-height:100vh;border-radius:0}}
header{color:var(--soft);margin-bottom:.75rem}
h1{font-size:1.3rem;line-height:1.35;margin:0 0 1.25rem}
fieldset{border:0;margin:0 0 1.25rem;padding:0;min-width:0}
legend{padding:0;font-size:1.3rem;font-weight:600;line-height:1.35;margin-bottom:1.25rem}
.scale{display:flex;flex-wrap:wrap;gap:.5rem}
.scale label{position:relative;display:block}
.scale input{position:absolute;inset:0;opacity:0;margin:0;width:100%;height:100%;cursor:pointer}
.scale span{display:grid;place-items:center;min-width:3rem;min-height:3rem;border:2px solid var(--line);
border-radius:8px;font-weight:600}
.scale input:checked+span{background:var(--accent);border-color:var(--accent);color:var(--on);text-decoration:underline}
.scale input:focus-visible+span{outline:3px solid var(--accent);outline-offset:2px}
.ends{display:flex;justify-content:space-between;gap:1rem;color:var(--soft);font-size:.9rem;margin-top:.5rem}
textarea{display:block;width:100%;margin:.4rem 0 1.25rem;padding:.6rem;font:inherit;color:inherit;
background:transparent;border:1px solid var(--line);border-radius:8px}
button{font:inherit;font-weight:600;padding:.7rem 1.4rem;border:0;border-radius:8px;background:var(--accent);
color:var(--on);cursor:pointer}
button:focus-visible,textarea:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.note{color:var(--soft)}
.fault{font-weight:600}
""".strip()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a good link shows. `score`: what was given before."""

    survey_id: int | None
    kind: SurveyKind
    language: str
    question: str
    house: str
    score: int | None = None
    is_over: bool = False


def _load(tx: Tx, named: Named) -> _Shown | None:
    house = tx.scalar(select(tables.organisation.c.name)) or ""
    if named.survey_id is None:
        question = words.asked(named.kind, named.language).question
        return _Shown(None, named.kind, named.language, question, house)
    s = tables.survey.c
    row = tx.first(select(tables.survey).where(s.id == named.survey_id, s.state.in_(("sent", "answered"))))
    if row is None:
        return None
    kind = SurveyKind(row.kind)
    setting = find_setting(tx, row.queue_id)
    question = words.asked(kind, row.language, dict(setting.questions) if setting else None).question
    return _Shown(row.id, kind, row.language, question, house, row.score, is_over=row.expires_at <= tx.now)


class SurveyPage:
    def __init__(self) -> None:
        self._throttle = Throttle(_REQUESTS_PER_WINDOW, _WINDOW_S)

    def routes(self) -> list[Route]:
        return [
            Route("/s/{token}", self._show, methods=["GET"]),
            Route("/s/{token}", self._store, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        try:
            shown = await self._access(request)
        except HubError as error:
            return _refusal(request, error)
        if shown.is_over:
            return _page(shown.language, f"<h1>{escape(words.page(shown.language).over)}</h1>", shown.house, 410)
        chosen = _read_score(request.query_params.get("score"), shown.kind)
        return _form(shown, shown.score if chosen is None else chosen)

    async def _store(self, request: Request) -> Response:
        try:
            shown = await self._access(request)
        except HubError as error:
            return _refusal(request, error)
        try:
            body = await read_body(request, _FORM_LIMIT_BYTES)
            sent = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))
            score = _read_score(sent.get("score"), shown.kind)
            if score is None:
                return _form(shown, None, is_missing=True)
            if shown.survey_id is not None:
                if await access_viewer(hub_of(request), request, is_use=False) is not None:
                    return _page(
                        shown.language, f"<h1>{escape(words.page(shown.language).staff)}</h1>", shown.house, 403
                    )
                comment = sent.get("comment", "").replace("\0", "")
                await hub_of(request).database.transaction(answers.answer, shown.survey_id, score, comment)
        except Conflict:
            return _page(shown.language, f"<h1>{escape(words.page(shown.language).over)}</h1>", shown.house, 410)
        except (HubError, ValueError) as error:
            return _refusal(request, error)
        return _thanks(shown, score)

    async def _access(self, request: Request) -> _Shown:
        """TooMany; NotFound for a link that is not ours, or whose survey is gone."""
        hub = hub_of(request)
        self._throttle.check(request.client.host if request.client else "")
        named = links.read_token(hub.vault, request.path_params["token"])
        shown = await hub.database.read(_load, named) if named is not None else None
        if shown is None:
            raise NotFound("there is no such survey")
        return shown


def routes() -> list[Route]:
    return SurveyPage().routes()


def _read_score(text: str | None, kind: SurveyKind) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 2 or int(text) not in kind.scale:
        return None
    return int(text)


# --- what it looks like -------------------------------------------------------------------------------------------------


def _form(shown: _Shown, chosen: int | None, *, is_missing: bool = False) -> Response:
    said = words.page(shown.language)
    ends = words.asked(shown.kind, shown.language)
    choices = "".join(
        f'<label><input type="radio" name="score" value="{score}" required{" checked" if score == chosen else ""}>'
        f"<span>{score}</span></label>"
        for score in shown.kind.scale
    )
    fault = f'<p class="fault" role="alert">{escape(said.missing)}</p>' if is_missing else ""
    body = (
        f'<form method="post"><fieldset><legend>{escape(shown.question)}</legend><div class="scale">{choices}</div>'
        f'<div class="ends"><span>{shown.kind.scale[0]} = {escape(ends.low)}</span>'
        f"<span>{shown.kind.scale[-1]} = {escape(ends.high)}</span></div></fieldset>{fault}"
        f'<label for="comment">{escape(said.comment)}</label>'
        f'<textarea id="comment" name="comment" rows="4" maxlength="{COMMENT_LIMIT}"></textarea>'
        f'<button type="submit">{escape(said.send)}</button></form>'
    )
    return _page(shown.language, body, shown.house, 422 if is_missing else 200, is_test=shown.survey_id is None)


def _thanks(shown: _Shown, score: int) -> Response:
    said = words.page(shown.language)
    body = (
        f'<h1 role="status">{escape(said.thanks)}</h1><p>{escape(said.given.format(score=score))}</p>'
        f'<p class="note">{escape(said.change)}</p>'
    )
    return _page(shown.language, body, shown.house, 200, is_test=shown.survey_id is None)


def _refusal(request: Request, error: Exception) -> Response:
    spoken = request.headers.get("accept-language", "")
    language = words.language_of(spoken.strip())
    status = {TooMany: 429, NotFound: 404, DatabaseAway: 503}.get(type(error), 400)
    said = words.page(language)
    is_later = isinstance(error, (TooMany, DatabaseAway))
    answer = _page(language, f"<h1>{escape(said.later if is_later else said.over)}</h1>", "", status)
    if is_later:
        answer.headers["Retry-After"] = "60"
    return answer


def _page(language: str, body: str, house: str, status: int, *, is_test: bool = False) -> Response:
    said = words.page(language)
    note = f'<p class="note">{escape(said.test)}</p>' if is_test else ""
    head = f"<header>{escape(house)}</header>" if house else ""
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(said.title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{head}{body}{note}</main></body></html>",
        status_code=status,
        headers=_HEADERS,
    )
