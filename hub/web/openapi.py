"""The API's description: OpenAPI 3.1, made from the endpoints, never written by hand; and a page that shows it.

`document(endpoints)` reads the same signatures that answer the requests. Beside what the operations use it holds the
live socket's frames and every event (`HubEvent` and `VolatileEvent`, told apart by `kind`), so the console's types come
from this one document.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

import hub
from hub.domain.events import HubEvent, VolatileEvent
from hub.web import docs
from hub.web.api import CSRF_HEADER, SESSION_COOKIE, Endpoint, Parameter
from hub.web.schemas import ErrorBody, Frame

JsonObject = dict[str, Any]
# A schema by its name, or by the endpoint's place and what of it.
_Key = str | tuple[int, str]

_REFERENCE = "#/components/schemas/{model}"
_DOCS = Path(__file__).resolve().parent / "static" / "docs"
_ABOUT = """\
Everything the console does, a program can do.

* **Who asks.** A browser signs in with `POST /api/v1/session` and sends the `X-CSRF-Token` it was given with every
write.
  A program sends an API key: `Authorization: Bearer hub_…`.
* **Failures** have one shape, `{code, message, fields?}`. Switch on `code`; `fields` names each faulty field.
* **Lists** answer `{items, next_cursor}`: ask again with `cursor=next_cursor` until it is null.
* **Repeating** a write is safe where `Idempotency-Key` is taken: the same key and the same body give the first answer.
* **Live.** `GET /api/v1/snapshot` gives the state and a token; the socket `/live?since=TOKEN` sends the frames (schema
  `Frame`) that come after it.
"""

# These routes ask for no session: the description of the API is no secret.
PUBLIC_ROUTES: Mapping[str, str] = {
    "/api/openapi.json": "describes the API, holds no data",
    "/api/docs": "shows that description",
    "/api/docs/docs.css": "style of that page",
    "/api/docs/docs.js": "script of that page",
}


class _Schemas(GenerateJsonSchema):
    """An answer always carries all its fields; only in requests may those with a default be left out."""

    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        return True if self.mode == "serialization" else super().field_is_required(field, total)


def document(endpoints: Sequence[Endpoint]) -> JsonObject:
    """The OpenAPI document of these endpoints."""
    adapters: list[tuple[_Key, JsonSchemaMode, TypeAdapter[Any]]] = [
        ("HubEvent", "serialization", TypeAdapter(Annotated[HubEvent, Field(discriminator="kind")])),
        ("VolatileEvent", "serialization", TypeAdapter(Annotated[VolatileEvent, Field(discriminator="kind")])),
        ("Frame", "serialization", TypeAdapter(Frame)),
        # `fields` is left out when there are none, so this one is described as it may be read.
        ("ErrorBody", "validation", TypeAdapter(ErrorBody)),
    ]
    for place, item in enumerate(endpoints):
        if item.body is not None:
            adapters.append(((place, "body"), "validation", item.body))
        if item.answer is not None:
            adapters.append(((place, "answer"), "serialization", item.answer))
        for parameter in (*item.path_parameters, *item.query_parameters):
            adapters.append(((place, parameter.name), "validation", TypeAdapter(parameter.annotation)))
    found, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE, schema_generator=_Schemas)
    by_key = {key: schema for (key, _), schema in found.items()}
    schemas: JsonObject = dict(definitions.get("$defs", {}))
    for name in ("HubEvent", "VolatileEvent", "Frame"):
        schemas[name] = by_key[name]
    paths: JsonObject = {}
    for place, item in enumerate(endpoints):
        own = {key[1]: schema for key, schema in by_key.items() if isinstance(key, tuple) and key[0] == place}
        paths.setdefault(item.template, {})[item.method.lower()] = _operation(item, own)
    return {
        "openapi": "3.1.0",
        "info": {"title": "The hub", "version": hub.__version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": _tidy(paths),
        "components": {
            "schemas": _name_unions({name: _tidy(schemas[name]) for name in sorted(schemas)}),
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": "Set by POST /api/v1/session.",
                },
                "csrf": {
                    "type": "apiKey",
                    "in": "header",
                    "name": CSRF_HEADER,
                    "description": "`csrf_token` of the session; every write by cookie needs it.",
                },
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `hub_…`."},
            },
        },
    }


def _operation(item: Endpoint, schemas: Mapping[str, JsonObject]) -> JsonObject:
    operation: JsonObject = {
        "operationId": item.name,
        "tags": [item.tag],
        "summary": item.summary,
        "description": item.description,
        "x-access": item.access.value,
        **({"x-permission": item.permission.value} if item.permission is not None else {}),
        "security": _security(item),
    }
    parameters = [
        *(_parameter(parameter, "path", schemas) for parameter in item.path_parameters),
        *(_parameter(parameter, "query", schemas) for parameter in item.query_parameters),
    ]
    if item.idempotent:
        schema = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[\\x21-\\x7e]+$"}
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key with the same body is carried out once.",
                "schema": schema,
            }
        )
    if parameters:
        operation["parameters"] = parameters
    if item.accepts != "application/json":
        operation["requestBody"] = {"required": True, "content": {item.accepts: {"schema": _FILE_FORM}}}
    elif item.body is not None:
        operation["requestBody"] = {
            "required": not item.body_optional,
            "content": {"application/json": {"schema": _without_null(schemas["body"])}},
        }
    success: JsonObject = {"description": "Done" if item.status == 204 else "The answer"}
    if item.is_raw:
        success["content"] = {item.media_type: {"schema": {"type": "string", "format": "binary"}}}
    elif item.answer is not None:
        success["content"] = {"application/json": {"schema": schemas["answer"]}}
    error = {"schema": {"$ref": _REFERENCE.format(model="ErrorBody")}}
    operation["responses"] = {
        str(item.status): success,
        "default": {"description": "It failed; `code` says why", "content": {"application/json": error}},
    }
    return operation


_FILE_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
}


def _security(item: Endpoint) -> list[JsonObject]:
    if item.access.role is None:
        return []
    by_cookie: JsonObject = {"session": []} if item.method == "GET" else {"session": [], "csrf": []}
    return [by_cookie, {"apiKey": []}]


def _parameter(parameter: Parameter, place: str, schemas: Mapping[str, JsonObject]) -> JsonObject:
    schema = _without_null(schemas[parameter.name])
    if not parameter.required and parameter.default is not None:
        schema = {**schema, "default": parameter.default}
    return {"name": parameter.name, "in": place, "required": parameter.required, "schema": schema}


def _without_null(schema: JsonObject) -> JsonObject:
    """A parameter that may be left out is left out, not null."""
    rest = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    return {**{k: v for k, v in schema.items() if k != "anyOf"}, **rest[0]} if len(rest) == 1 else schema


def _tidy(schema: Any, *, is_names: bool = False) -> Any:
    """Without the titles pydantic derives from names. `is_names`: the keys are names of fields, not words of JSON
    Schema."""
    if isinstance(schema, dict):
        return {
            name: _tidy(inner, is_names=name == "properties" and not is_names)
            for name, inner in schema.items()
            if is_names or name != "title" or not isinstance(inner, str)
        }
    return [_tidy(inner) for inner in schema] if isinstance(schema, list) else schema


def _name_unions(schemas: JsonObject) -> JsonObject:
    """Wherever the union of events stands in another schema, its name stands instead."""
    unions = {name: schemas[name] for name in ("HubEvent", "VolatileEvent")}

    def named(schema: Any) -> Any:
        for name, union in unions.items():
            if schema == union:
                return {"$ref": _REFERENCE.format(model=name)}
        if isinstance(schema, dict):
            return {key: named(inner) for key, inner in schema.items()}
        return [named(inner) for inner in schema] if isinstance(schema, list) else schema

    return {name: schema if name in unions else named(schema) for name, schema in schemas.items()}


# --- the routes -------------------------------------------------------------------------------------------------------

# A new release is seen at once, and what has not changed is not sent again by the console's own cache.
_HEADERS = {"Cache-Control": "no-cache"}


def routes(endpoints: Sequence[Endpoint]) -> list[Route]:
    """/api/openapi.json, /api/docs and its two files. The first request makes the document, which is kept."""
    kept: dict[str, bytes] = {}
    making = asyncio.Lock()

    async def make() -> dict[str, bytes]:
        async with making:
            if not kept:
                made = await asyncio.to_thread(document, endpoints)
                kept["json"] = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
                kept["html"] = docs.page(made).encode()
        return kept

    async def as_json(_request: Request) -> Response:
        return Response((await make())["json"], media_type="application/json", headers=_HEADERS)

    async def as_page(_request: Request) -> Response:
        return Response((await make())["html"], media_type="text/html", headers=_HEADERS)

    return [
        Route("/api/openapi.json", as_json),
        Route("/api/docs", as_page),
        Route("/api/docs/docs.css", lambda _request: FileResponse(_DOCS / "docs.css", headers=_HEADERS)),
        Route("/api/docs/docs.js", lambda _request: FileResponse(_DOCS / "docs.js", headers=_HEADERS)),
    ]
