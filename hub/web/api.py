"""The API's one way in: `@endpoint` makes a typed function answer HTTP, and says who may call it.

    @endpoint("POST", "/queues", access=Permission.MANAGE_ROUTING, status=201, summary="Create a queue")
    async def create_queue(context: Context, body: NewQueue) -> QueueView: ...

Everything is read from the signature, and the OpenAPI document (web.openapi) is made from the same reading: parameters
whose names stand in the path are path parameters, `body` is the JSON body, the others are query parameters, the return
annotation is the answer. A parameter whose name Python keeps for itself carries a `_` (`from_` is `from`); one that is a
QueryFields stands for as many query parameters as it has fields. A request passes, in this order:

    who asks (cookie or API key) → may they (role or permission) → is it really they (CSRF, origin) → parameters → body
    → the function

so somebody who may not call an endpoint learns nothing about what it takes. There is no endpoint without an access
level: deny by default. Every failure leaves in one shape, `{code, message, fields?}`; what we did not foresee is a 500
that names its request id and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import inspect
import json
import logging
import math
import re
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails, from_json
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from hub.agents.link_mails import Forgotten
from hub.agents.viewer import Viewer, find_viewer_by_api_key, find_viewer_by_session, touch
from hub.domain.languages import StaffLanguage, accepted_language
from hub.domain.permissions import Permission, least_role
from hub.domain.sentences import Sentence
from hub.domain.values import Role
from hub.errors import (
    BadRequest,
    DatabaseAway,
    Forbidden,
    HubError,
    InvalidInput,
    NotFound,
    Overloaded,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from hub.kpi.tellings import Teller
from hub.settings import Settings
from hub.store.database import Database
from hub.store.files import Files
from hub.store.notices import Notices
from hub.store.recordings import Recordings
from hub.store.stream import Wakes
from hub.store.vault import Vault
from hub.timeline.adapters import Adapters
from hub.timeline.inbound import Intake
from hub.web.languages import in_language
from hub.web.report_turns import ReportTurns
from hub.web.security import REQUEST_ID, is_own_origin
from hub.webhooks.sending import WebhookSender

if TYPE_CHECKING:
    from hub.web.chat_socket import ChatSockets

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
SESSION_COOKIE = "hub_session"
API_KEY_PREFIX = "hub_"
CSRF_HEADER = "X-CSRF-Token"

# What the databases can keep in a BIGINT; a larger number in a request names nothing that exists.
_INT64_MAX = 2**63 - 1
# A route takes them all and answers 405 itself: else a later, wider route (the console's pages) would take the request.
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
# Cheap signs that a body may hold what no database of ours can keep; only then is every value looked at.
_SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\d{19}")
# All that the session of a screen on a wall is good for, beside the console's socket.
FOR_SCREENS = frozenset(
    {
        ("GET", "/session"),
        ("DELETE", "/session"),
        ("GET", "/snapshot"),
        ("GET", "/board"),
        ("GET", "/measures"),
    }
)
# How long a client waits before it asks again when the database is away.
_AWAY_RETRY_S = 2
_MESSAGE_LENGTH = 2_000

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")


class Access(Enum):
    """The least role an endpoint wants, which says who may look; whoever acts needs a Permission, which stands in its place.
    NOBODY_NEEDED must say `why`."""

    NOBODY_NEEDED = "nobody"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    @property
    def role(self) -> Role | None:
        return None if self is Access.NOBODY_NEEDED else Role(self.value)


class HubLike(Protocol):
    """What the endpoints use of the composition root (hub.app.Hub); it stands in `app.state.hub`."""

    @property
    def settings(self) -> Settings: ...
    @property
    def database(self) -> Database: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def files(self) -> Files: ...
    @property
    def recordings(self) -> Recordings: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def wakes(self) -> Wakes: ...
    @property
    def channels(self) -> Adapters: ...
    @property
    def intake(self) -> Intake: ...
    @property
    def chat_sockets(self) -> ChatSockets: ...
    @property
    def teller(self) -> Teller: ...
    @property
    def forgotten(self) -> Forgotten: ...
    @property
    def webhook_sender(self) -> WebhookSender: ...
    @property
    def report_turns(self) -> ReportTurns: ...


def hub_of(connection: HTTPConnection) -> HubLike:
    hub: HubLike = connection.app.state.hub
    return hub


# --- one request ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """What an endpoint knows of its request beside its parameters.

    `idempotency_key` is 1 to 200 visible ASCII characters, or None; `request_hash` tells two requests with the same key
    apart. `answer_headers` are added to the answer (cookies).
    """

    hub: HubLike
    request: Request
    found_viewer: Viewer | None
    idempotency_key: str | None = None
    request_hash: str = ""
    answer_headers: MutableHeaders = field(default_factory=MutableHeaders)

    @property
    def viewer(self) -> Viewer:
        """Who asks; there always is somebody, but in endpoints that are NOBODY_NEEDED."""
        if self.found_viewer is None:
            raise Unauthenticated("nobody is signed in")
        return self.found_viewer

    @property
    def language(self) -> StaffLanguage:
        """What to say in words is said in it: the one that is asked for."""
        return accepted_language(self.request.headers.get("accept-language", ""))

    def worded(self, faults: Mapping[str, str]) -> dict[str, str]:
        """Faults that an answer tells, and not an error, in that language."""
        self.answer_headers["Content-Language"] = self.language
        self.answer_headers["Vary"] = "Accept-Language"
        return {name: in_language(fault, self.language) for name, fault in faults.items()}


async def access_viewer(hub: HubLike, connection: HTTPConnection, *, is_use: bool = True) -> Viewer | None:
    """Who is behind a request or a websocket: an API key if it carries one, else its session cookie; None for
    nobody. `is_use` False only looks: it does not keep an idle session alive."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.startswith(API_KEY_PREFIX):
            return None
        viewer = await hub.database.read(find_viewer_by_api_key, token)
    else:
        token = connection.cookies.get(SESSION_COOKIE, "")
        if not token:
            return None
        viewer = await hub.database.read(find_viewer_by_session, token, hub.settings.session_idle_s)
    if is_use and viewer is not None and viewer.needs_touch:
        await hub.database.transaction(touch, viewer)
    if viewer is None or connection.client is None:
        return viewer
    return replace(viewer, address=connection.client.host)


def demand(viewer: Viewer, permission: Permission) -> None:
    """Forbidden `no_permission` for whoever may not do it."""
    if not viewer.may(permission):
        raise Forbidden(f"this needs the permission {permission.value}", code="no_permission")


def check_csrf(hub: HubLike, viewer: Viewer, connection: HTTPConnection) -> None:
    """A browser sends the cookie with any request, also one that another site made: a write must prove that it comes
    from our page. Programs with an API key have no cookie that could be misused."""
    if viewer.csrf_token is None:
        return
    sent = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), viewer.csrf_token.encode()):
        raise Forbidden(f"the {CSRF_HEADER} header does not match this session", code="csrf")
    if not is_own_origin(connection, hub.settings.public_url):
        raise Forbidden("this request comes from another site", code="csrf")


async def read_body(request: Request, limit_bytes: int, on_growth: Callable[[int], None] | None = None) -> bytes:
    """The whole body; TooLarge as soon as it is known to be longer than the limit, so that nothing larger is held.
    `on_growth` hears how many bytes of it are held by now, before each part is, and may raise."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit_bytes:
        raise TooLarge(f"the body is longer than {limit_bytes} bytes")
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit_bytes:
                raise TooLarge(f"the body is longer than {limit_bytes} bytes")
            if on_growth is not None:
                on_growth(size)
            parts.append(part)
    except ClientDisconnect as error:
        # Nobody reads the answer; and it is no fault of ours, to be logged with all its circumstances.
        raise BadRequest("the body broke off", code="broken_off") from error
    return b"".join(parts)


# --- endpoints --------------------------------------------------------------------------------------------------------


class QueryFields(BaseModel):
    """Query parameters that several endpoints take."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`argument`: what the function calls it, or `group`'s field, which the function calls `group_argument`."""

    name: str
    annotation: Any
    default: Any = inspect.Parameter.empty
    argument: str = ""
    group: type[QueryFields] | None = None
    group_argument: str = ""

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API, as its signature tells it. Call it like the function it was made from."""

    method: str
    path: str
    # With a permission: the first built-in role that holds it.
    access: Access
    permission: Permission | None
    why: str
    status: int
    summary: str
    description: str
    tag: str
    handler: Callable[..., Awaitable[Any]]
    path_parameters: tuple[Parameter, ...]
    query_parameters: tuple[Parameter, ...]
    # The JSON body's type; `body_optional` if the function can do without.
    body: TypeAdapter[Any] | None
    body_optional: bool
    # None: no content. `is_raw`: the function makes the Response itself; `media_type` is for the document then.
    answer: TypeAdapter[Any] | None
    is_raw: bool
    accepts: str
    media_type: str
    # Honours Idempotency-Key.
    idempotent: bool
    _path_model: type[BaseModel] = field(repr=False, compare=False, default=BaseModel)
    _query_model: type[BaseModel] = field(repr=False, compare=False, default=BaseModel)

    @property
    def name(self) -> str:
        """The operationId."""
        return str(getattr(self.handler, "__name__", "endpoint"))

    @property
    def template(self) -> str:
        return PREFIX + self.path

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return await self.handler(*args, **kwargs)

    async def answer_request(self, request: Request) -> Response:
        """Raises HubErrors; `api_routes` turns them into answers."""
        hub = hub_of(request)
        viewer = None
        role = self.access.role
        if role is not None:
            viewer = await access_viewer(hub, request)
            if viewer is None:
                raise Unauthenticated("nobody is signed in")
            if self.permission is not None:
                demand(viewer, self.permission)
            elif not viewer.covers(role):
                raise Forbidden(f"this needs the role {role.value}")
            if viewer.is_screen and (request.method, self.path) not in FOR_SCREENS:
                raise Forbidden("this is the session of a screen on a wall, which only looks", code="screen_only")
            if request.method not in _SAFE_METHODS:
                check_csrf(hub, viewer, request)
        elif request.method not in _SAFE_METHODS and not is_own_origin(request, hub.settings.public_url):
            raise Forbidden("this request comes from another site", code="csrf")
        arguments = {**self._read_path(request), **self._read_query(request)}
        key = request.headers.get("idempotency-key")
        if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidInput(
                "the Idempotency-Key is not right",
                fields={"Idempotency-Key": Sentence("must be 1 to 200 visible ASCII characters")},
            )
        raw = b""
        if self.body is not None:
            raw = await self._read_json(request, hub.settings.body_limit_bytes)
            arguments["body"] = parse_json(self.body, raw) if raw else None
        context = Context(hub, request, viewer, key, _request_hash(request, raw) if key is not None else "")
        value = await self.handler(context, **arguments)
        if self.is_raw:
            answer: Response = value
        elif self.answer is None:
            answer = Response(status_code=204)
        else:
            answer = json_answer(self.answer.dump_json(value), self.status)
        answer.raw_headers.extend(context.answer_headers.raw)
        return answer

    def _read_path(self, request: Request) -> dict[str, Any]:
        if not self.path_parameters:
            return {}
        try:
            if any("\0" in str(value) for value in request.path_params.values()):
                raise NotFound("there is no such thing")
            model = self._path_model.model_validate(request.path_params)
        except ValidationError:
            # "/conversations/abc" names no conversation: the same answer as a number that names none.
            raise NotFound("there is no such thing") from None
        return {parameter.name: getattr(model, parameter.name) for parameter in self.path_parameters}

    def _read_query(self, request: Request) -> dict[str, Any]:
        given = request.query_params.multi_items()
        if not given and not self.query_parameters:
            return {}
        faults: dict[str, str] = {}
        told: dict[str, str] = {}
        for name, value in given:
            if name in told:
                faults[name] = Sentence("is given more than once")
            if "\0" in value:
                faults[name] = Sentence("must not contain NUL characters")
            told[name] = value
        try:
            model = self._query_model.model_validate(told)
        except ValidationError as error:
            raise invalid_fields({**named_faults(error.errors(include_url=False)), **faults}) from None
        if faults:
            raise invalid_fields(faults)
        values = {parameter.argument: getattr(model, parameter.name) for parameter in self.query_parameters}
        for argument, group in self._groups().items():
            values[argument] = group.model_construct(**{name: values.pop(name) for name in group.model_fields})
        return values

    def _groups(self) -> dict[str, type[QueryFields]]:
        return {each.group_argument: each.group for each in self.query_parameters if each.group is not None}

    async def _read_json(self, request: Request, limit_bytes: int) -> bytes:
        raw = await read_body(request, limit_bytes)
        if raw or not self.body_optional:
            media_type, _, rest = request.headers.get("content-type", "").partition(";")
            charset = rest.partition("charset=")[2].partition(";")[0].strip().strip('"').lower()
            if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
                raise BadRequest("the body must be JSON in UTF-8: Content-Type: application/json", code="not_json")
            if not raw.strip():
                raise BadRequest("the body is empty; JSON is wanted", code="bad_json")
        return raw


def parse_json(adapter: TypeAdapter[T], raw: bytes) -> T:
    """`raw` as a value of the adapter's type. BadRequest if it is not JSON; InvalidInput naming every faulty field,
    strings and numbers that no database of ours can keep among them."""
    try:
        unstorable = dict(_unstorable(from_json(raw, allow_inf_nan=False), "")) if _SUSPICIOUS.search(raw) else {}
        value = adapter.validate_json(raw)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise BadRequest("the body is not JSON", code="bad_json") from None
        raise invalid_fields({**named_faults(details), **_unstorable_or_none(raw)}) from None
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON", code="bad_json") from None
    if unstorable:
        raise invalid_fields(unstorable)
    return value


def _unstorable_or_none(raw: bytes) -> dict[str, str]:
    return dict(_unstorable(from_json(raw, allow_inf_nan=False), "")) if _SUSPICIOUS.search(raw) else {}


def _unstorable(value: Any, path: str) -> Iterable[tuple[str, str]]:
    """(path, what is wrong) of every string with NUL and every integer beyond 64 bits. PostgreSQL keeps neither."""
    if isinstance(value, str):
        if "\0" in value:
            yield path or "body", Sentence("must not contain NUL characters")
    elif isinstance(value, int):
        if not -_INT64_MAX <= value <= _INT64_MAX:
            yield path or "body", Sentence("is too large a number")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if "\0" in name:
                yield path or "body", Sentence("must not have NUL characters in its names")
            else:
                yield from _unstorable(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, f"{path}.{index}" if path else str(index))


def _in_words(detail: ErrorDetails) -> str:
    """What pydantic found, in our words; in its own, which are English, where we have none."""
    kind, bounds = detail["type"], detail.get("ctx", {})
    match kind:
        case "missing":
            return Sentence("is required")
        case "extra_forbidden":
            return Sentence("is not a known field")
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return Sentence("must be a whole number")
        case "float_parsing" | "float_type" | "finite_number":
            return Sentence("must be a number")
        case "string_type" | "string_unicode":
            return Sentence("must be text")
        case "bool_parsing" | "bool_type":
            return Sentence("must be true or false")
        case "string_too_short" if bounds["min_length"] == 1:
            return Sentence("must not be empty")
        case "string_too_short":
            return Sentence("must have at least {count} characters", count=bounds["min_length"])
        case "string_too_long":
            return Sentence("must have at most {count} characters", count=bounds["max_length"])
        case "string_pattern_mismatch":
            return Sentence("is not written as it must be")
        case "greater_than":
            return Sentence("must be more than {bound}", bound=bounds["gt"])
        case "greater_than_equal":
            return Sentence("must be at least {bound}", bound=bounds["ge"])
        case "less_than":
            return Sentence("must be less than {bound}", bound=bounds["lt"])
        case "less_than_equal":
            return Sentence("must be at most {bound}", bound=bounds["le"])
        case "too_short" if bounds["min_length"] == 1:
            return Sentence("must name at least one")
        case "too_short":
            return Sentence("must be at least {count}", count=bounds["min_length"])
        case "too_long":
            return Sentence("must be at most {count}", count=bounds["max_length"])
        case "literal_error" | "enum":
            known = bounds["expected"].replace("'", "").replace(" or ", ", ")
            return Sentence("must be one of {known}", known=known)
        case "union_tag_invalid":
            return Sentence("must be one of {known}", known=bounds["expected_tags"].replace("'", ""))
        case "union_tag_not_found":
            return Sentence("must say of which kind it is")
        case "list_type" | "tuple_type" | "set_type" | "frozen_set_type":
            return Sentence("must be a list")
        case "dict_type" | "model_type" | "model_attributes_type" | "dataclass_type":
            return Sentence("must be an object")
        case "timezone_aware":
            return Sentence("must say its time zone")
        case "uuid_parsing" | "uuid_type":
            return Sentence("must be a UUID")
        case "value_error" if isinstance(bounds.get("error"), ValueError) and bounds["error"].args:
            said = bounds["error"].args[0]
            return said if isinstance(said, Sentence) else str(said)
        case _ if kind.startswith(("date_from", "date_parsing", "date_type")):
            return Sentence("must be a date, like 2026-05-17")
        case _ if kind.startswith(("datetime_", "date_")):
            return Sentence("must be a date and a time, like 2026-05-17T09:30:00+04:00")
        case _ if kind.startswith("time_"):
            return Sentence("must be a time of day, like 09:30")
        case _:
            return detail["msg"].removeprefix("Value error, ")


def named_faults(details: Sequence[ErrorDetails]) -> dict[str, str]:
    """Dotted field → what is wrong with it, in words. Never the value itself, which may be a password."""
    faults: dict[str, str] = {}
    for detail in details:
        name = ".".join(str(part) for part in detail["loc"]) or "body"
        faults.setdefault(name, _in_words(detail))
    return faults


def invalid_fields(fields: Mapping[str, str]) -> InvalidInput:
    # Field names of a stranger's body may be anything and many: enough of them to be of use.
    shown = dict(list(fields.items())[:50])
    words = "; ".join(f"{name[:80]}: {fault}" for name, fault in shown.items())
    return InvalidInput(words[:_MESSAGE_LENGTH], fields=shown)


def _request_hash(request: Request, body: bytes) -> str:
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    digest.update(body)
    return digest.hexdigest()


Handler = Callable[..., Awaitable[Any]]


def endpoint(
    method: str,
    path: str,
    *,
    access: Access | Permission,
    summary: str,
    status: int = 200,
    why: str = "",
    tag: str | None = None,
    accepts: str = "application/json",
    media_type: str = "application/json",
    idempotent: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Makes an Endpoint of an async function; its place is PREFIX + `path`.

    `access`: the permission that is needed to act, or the least role that may look. `why` justifies NOBODY_NEEDED.
    `tag` groups it in the document (default: the module's name). A function that returns
    a starlette Response makes its answer itself: `media_type` says what it is. `accepts` other than JSON: the function
    reads the body from `context.request` itself (with `read_body`'s limit in mind). `idempotent`: it honours
    Idempotency-Key, see store.idempotency.
    """
    permission = access if isinstance(access, Permission) else None
    least = Access(least_role(access).value) if isinstance(access, Permission) else access
    if (access is Access.NOBODY_NEEDED) != bool(why):
        raise ValueError(f"{method} {path}: `why` must be given for NOBODY_NEEDED, and only then")

    def make(handler: Handler) -> Endpoint:
        signature = inspect.signature(handler)
        hints = typing.get_type_hints(handler, include_extras=True)
        in_path = set(re.findall(r"{(\w+)}", path))
        path_parameters: list[Parameter] = []
        query_parameters: list[Parameter] = []
        body: TypeAdapter[Any] | None = None
        body_optional = False
        for name, parameter in list(signature.parameters.items())[1:]:
            annotation = hints[name]
            if name == "body":
                body_optional = parameter.default is not inspect.Parameter.empty
                body = TypeAdapter(annotation)
                continue
            if isinstance(annotation, type) and issubclass(annotation, QueryFields):
                query_parameters.extend(_group(name, annotation))
                continue
            whole = Annotated[int, Field(ge=1 if name in in_path else -_INT64_MAX, le=_INT64_MAX)]
            if annotation is int:
                annotation = whole
            elif annotation == int | None:
                annotation = whole | None
            place = path_parameters if name in in_path else query_parameters
            place.append(Parameter(name.removesuffix("_"), annotation, parameter.default, argument=name))
        if missing := in_path - {parameter.name for parameter in path_parameters}:
            raise ValueError(f"{method} {path}: {handler} takes no {', '.join(sorted(missing))}")
        answer = hints["return"]
        is_raw = isinstance(answer, type) and issubclass(answer, Response)
        has_none = answer is type(None)
        return Endpoint(
            method=method,
            path=path,
            access=least,
            permission=permission,
            why=why,
            status=204 if has_none else status,
            summary=summary,
            description=inspect.cleandoc(handler.__doc__ or ""),
            tag=tag or handler.__module__.rpartition(".")[2].replace("_", "-"),
            handler=handler,
            path_parameters=tuple(path_parameters),
            query_parameters=tuple(query_parameters),
            body=body,
            body_optional=body_optional,
            answer=None if has_none or is_raw else TypeAdapter(answer),
            is_raw=is_raw,
            accepts=accepts,
            media_type=media_type,
            idempotent=idempotent,
            _path_model=_model("Path", path_parameters),
            _query_model=_model("Query", query_parameters),
        )

    return make


def _group(argument: str, group: type[QueryFields]) -> Iterable[Parameter]:
    hints = typing.get_type_hints(group, include_extras=True)
    for name, info in group.model_fields.items():
        default = inspect.Parameter.empty if info.is_required() else info.default
        yield Parameter(name.removesuffix("_"), hints[name], default, name, group, argument)


def _model(name: str, parameters: Sequence[Parameter]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        parameter.name: (parameter.annotation, ... if parameter.required else parameter.default)
        for parameter in parameters
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def endpoints_of(*modules: ModuleType) -> list[Endpoint]:
    """The endpoints that stand in these modules, in the order they were written."""
    return [value for module in modules for value in vars(module).values() if isinstance(value, Endpoint)]


def api_routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """One route for each path; a method the path does not know is answered 405 with what it does know."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for item in endpoints:
        methods = by_path.setdefault(item.template, {})
        if item.method in methods:
            raise ValueError(f"{item.method} {item.template} is there twice")
        methods[item.method] = item
    return [
        Route(template, endpoint=functools.partial(_answer, methods), methods=_METHODS)
        for template, methods in by_path.items()
    ]


async def _answer(methods: Mapping[str, Endpoint], request: Request) -> Response:
    chosen = methods.get("GET" if request.method == "HEAD" else request.method)
    if chosen is None:
        return error_answer(request, HTTPException(405, headers={"Allow": ", ".join(sorted(methods))}))
    try:
        return await chosen.answer_request(request)
    except Exception as error:
        return error_answer(request, error)


# --- answers ----------------------------------------------------------------------------------------------------------


def json_answer(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def error_body(error: HubError, language: StaffLanguage = "en") -> dict[str, Any]:
    fields = {name: in_language(fault, language) for name, fault in error.fields.items()}
    message = in_language(error.message, language)
    # What is wrong with fields is in the message, too, as long as nothing of ours has been said in that language. Fields that
    # only tell whom or what it is about ("assignee": "Ani") say nothing is wrong.
    has_words = any(isinstance(fault, Sentence) for fault in error.fields.values())
    if language != "en" and has_words and not isinstance(error.message, Sentence):
        message = "; ".join(f"{name[:80]}: {fault}" for name, fault in fields.items())[:_MESSAGE_LENGTH]
    body: dict[str, Any] = {"code": error.code, "message": message}
    if fields:
        body["fields"] = fields
    return body


def error_answer(request: HTTPConnection, error: Exception) -> Response:
    """The one shape of failure. What is not a HubError is a fault of ours: logged whole, told by its request id
    alone."""
    if isinstance(error, HTTPException):
        words = {404: "not_found", 405: "method_not_allowed"}
        error_code = words.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
        answer = _error({"code": error_code, "message": error.detail or error_code}, error.status_code)
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer
    request_id = request.scope.get(REQUEST_ID, "")
    if not isinstance(error, HubError):
        log.error("request.failed", exc_info=error, extra={"request_id": request_id})
        return _error({"code": "internal", "message": f"something went wrong here; request id {request_id}"}, 500)
    if error.status >= 500:
        log.warning("request.refused", extra={"request_id": request_id, "code": error.code, "status": error.status})
    language = accepted_language(request.headers.get("accept-language", ""))
    answer = _error(error_body(error, language), error.status)
    answer.headers["Content-Language"] = language
    answer.headers["Vary"] = "Accept-Language"
    if isinstance(error, DatabaseAway):
        answer.headers["Retry-After"] = str(_AWAY_RETRY_S)
    elif isinstance(error, (TooMany, Overloaded, Unavailable)) and error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _error(body: Mapping[str, Any], status: int) -> Response:
    return json_answer(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), status)


async def _handle(request: Request, error: Exception) -> Response:
    return error_answer(request, error)


# For `Starlette(exception_handlers=…)`: routes that are not endpoints fail in the same shape. Exceptions nobody foresaw
# are caught further out, by web.security.
EXCEPTION_HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: _handle,
    HubError: _handle,
}


# --- lists ------------------------------------------------------------------------------------------------------------

# `limit: Limit = DEFAULT_LIMIT, cursor: str | None = None` is how every list is asked for.
Limit = Annotated[int, Field(ge=1, le=200)]
DEFAULT_LIMIT = 50


def write_cursor(*parts: int | str | datetime) -> str:
    """An opaque cursor: where the next page begins. The same parts come back from `read_cursor`."""
    plain = [part.isoformat() if isinstance(part, datetime) else part for part in parts]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).rstrip(b"=").decode()


@overload
def read_cursor(cursor: str | None, a: type[T1], /) -> tuple[T1] | None: ...
@overload
def read_cursor(cursor: str | None, a: type[T1], b: type[T2], /) -> tuple[T1, T2] | None: ...
@overload
def read_cursor(cursor: str | None, a: type[T1], b: type[T2], c: type[T3], /) -> tuple[T1, T2, T3] | None: ...
def read_cursor(cursor: str | None, /, *kinds: type) -> tuple[Any, ...] | None:
    """The parts of a cursor, each of its kind (int, str or datetime); None for None. InvalidInput naming `cursor` if it
    is not one of ours."""
    if cursor is None:
        return None
    fault = invalid_fields({"cursor": Sentence("is not a cursor that this list gave")})
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise fault from None
    if not isinstance(parts, list) or len(parts) != len(kinds):
        raise fault
    read: list[Any] = []
    for part, kind in zip(parts, kinds, strict=True):
        value: Any = part
        if kind is datetime and isinstance(part, str):
            try:
                value = datetime.fromisoformat(part)
            except ValueError:
                raise fault from None
            if value.tzinfo is None:
                raise fault
        too_large = isinstance(value, int) and abs(value) > _INT64_MAX
        if type(value) is not kind or too_large or (isinstance(value, str) and "\0" in value):
            raise fault
        read.append(value)
    return tuple(read)
