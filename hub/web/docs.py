"""The API's description as a page to read: plain HTML made from the OpenAPI document, with a style and a small script
of our own (static/docs). Without the script everything is there; with it one can search."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

JsonObject = Mapping[str, Any]

_ACCESS = {"nobody": "no sign-in", "agent": "agent", "supervisor": "supervisor", "admin": "administrator"}


def page(document: JsonObject) -> str:
    """The whole page."""
    info = document["info"]
    by_tag: dict[str, list[tuple[str, str, JsonObject]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    schemas = document["components"]["schemas"]
    navigation = "".join(
        f"<section><h2>{escape(_words(tag))}</h2><ul>{''.join(_link(*operation) for operation in operations)}</ul></section>"
        for tag, operations in by_tag.items()
    )
    operations = "".join(
        f'<section class="tag"><h2 id="tag-{escape(tag)}">{escape(_words(tag))}</h2>'
        f"{''.join(_operation(*operation, schemas) for operation in operations)}</section>"
        for tag, operations in by_tag.items()
    )
    shapes = "".join(_schema(name, schema) for name, schema in schemas.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(info["title"])}: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/api/docs/docs.css">
<script src="/api/docs/docs.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<nav aria-label="Operations">
<p class="brand">{escape(info["title"])} <span>API {escape(info["version"])}</span></p>
<input type="search" id="search" placeholder="Search: path, word, field" aria-label="Search" hidden>
{navigation}
<section><h2>Schemas</h2><ul><li><a href="#schemas">All shapes</a></li></ul></section>
</nav>
<main id="content">
<header>
<h1>{escape(info["title"])}: API</h1>
<div class="about">{_prose(info["description"])}</div>
<p><a class="button" href="/api/openapi.json">openapi.json</a></p>
</header>
{operations}
<section class="tag"><h2 id="schemas">Schemas</h2>{shapes}</section>
<p id="nothing" hidden>Nothing here has these words.</p>
</main>
</body>
</html>
"""


def _words(tag: str) -> str:
    return tag.replace("-", " ").capitalize().replace("Api", "API")


def _link(method: str, path: str, operation: JsonObject) -> str:
    return (
        f'<li data-find="{_found_by(method, path, operation)}"><a href="#{escape(operation["operationId"])}">'
        f"{_badge(method)}<span>{escape(operation['summary'])}</span></a></li>"
    )


def _found_by(method: str, path: str, operation: JsonObject) -> str:
    words = f"{method} {path} {operation['summary']} {operation['operationId']} {operation['description']}"
    return escape(words.lower(), quote=True)


def _badge(method: str) -> str:
    return f'<b class="method {escape(method)}">{escape(method.upper())}</b>'


def _operation(method: str, path: str, operation: JsonObject, schemas: JsonObject) -> str:
    parts = [_parameters(operation.get("parameters", []))]
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(_content("Body", media_type, content["schema"]))
        # What to send is wanted right here; what comes back is a link away.
        parts.append(_fields(schemas.get(content["schema"].get("$ref", "").rpartition("/")[2], {})))
    for status, answer in operation["responses"].items():
        if status != "default":
            contents = answer.get("content", {}).items()
            parts.extend(
                _content(f"Answer {status}", media_type, content["schema"]) for media_type, content in contents
            )
            if not contents:
                parts.append(f'<h4>Answer {escape(status)}</h4><p class="muted">No content.</p>')
    access = operation["x-access"]
    return (
        f'<article id="{escape(operation["operationId"])}" data-find="{_found_by(method, path, operation)}">'
        f"<h3>{_badge(method)} <code>{_path(path)}</code></h3>"
        f'<p class="summary">{escape(operation["summary"])} '
        f'<span class="access {escape(access)}">{_ACCESS[access]}</span></p>'
        f"{_prose(operation['description'])}{''.join(parts)}</article>"
    )


def _path(path: str) -> str:
    return re.sub(r"({\w+})", r"<i>\1</i>", escape(path))


def _parameters(parameters: list[JsonObject]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><th scope=row><code>{escape(item['name'])}</code>{_star(item['required'])}</th>"
        f"<td>{escape(item['in'])}</td><td>{_type(item['schema'])}</td>"
        f"<td>{_limits(item['schema'])} {_inline(item.get('description', ''))}</td></tr>"
        for item in parameters
    )
    return f"<h4>Parameters</h4><table><tbody>{rows}</tbody></table>"


def _content(title: str, media_type: str, schema: JsonObject) -> str:
    kind = "" if media_type == "application/json" else f' <span class="muted">{escape(media_type)}</span>'
    return f"<h4>{escape(title)}{kind}</h4>{_shape(schema)}"


def _schema(name: str, schema: JsonObject) -> str:
    words = escape(f"{name} {' '.join(schema.get('properties', {}))}".lower(), quote=True)
    return (
        f'<article class="schema" id="schema-{escape(name)}" data-find="{words}">'
        f"<h3><code>{escape(_type_name(name))}</code></h3>"
        f"{_prose(schema.get('description', ''))}{_shape(schema)}</article>"
    )


def _shape(schema: JsonObject) -> str:
    """An object's fields as a table; anything else as its type."""
    return _fields(schema) or f'<p class="type">{_type(schema)} {_limits(schema)}</p>'


def _fields(schema: JsonObject) -> str:
    properties = schema.get("properties")
    if not properties:
        return ""
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><th scope=row><code>{escape(name)}</code>{_star(name in required)}</th>"
        f"<td>{_type(inner)}</td><td>{_limits(inner)} {_inline(inner.get('description', ''))}</td></tr>"
        for name, inner in properties.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _star(required: bool) -> str:
    return ' <abbr title="required">*</abbr>' if required else ""


def _type(schema: JsonObject) -> str:
    """A type in one line, with links to the shapes it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(_type_name(name))}</a>'
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " <i>or</i> ".join(_type(option) for option in schema[word])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " <i>or</i> ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"text → {_type(schema['additionalProperties'])}"
        case "string":
            return {"date-time": "instant", "binary": "bytes"}.get(str(schema.get("format")), "text")
        case None:
            return "anything"
        case other:
            return escape({"integer": "whole number", "boolean": "true or false"}.get(str(other), str(other)))


def _type_name(name: str) -> str:
    """Page_UserView_ is how pydantic writes Page[UserView]."""
    found = re.fullmatch(r"(\w+?)_(\w+)_", name)
    return f"{found[1]}[{found[2]}]" if found else name


_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "like {}",
    "default": "if left out: {}",
}
# Bounds that say no more than "what a database can keep".
_NO_LIMITS = (2**63 - 1, 1 - 2**63)


def _limits(schema: JsonObject) -> str:
    words = [
        text.format(f"<code>{escape(json.dumps(schema[name]) if name == 'default' else str(schema[name]))}</code>")
        for name, text in _LIMITS.items()
        if schema.get(name) is not None and schema[name] not in _NO_LIMITS
    ]
    return f'<span class="muted">{", ".join(words)}</span>' if words else ""


def _prose(text: str) -> str:
    """Our docstrings' little Markdown: paragraphs, lists with *, `code`, **bold**."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        items = re.split(r"(?:^|\n)\* ", block)
        if len(items) > 1:
            blocks.append("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items[1:]) + "</ul>")
        elif block:
            blocks.append(f"<p>{_inline(block)}</p>")
    return "".join(blocks)


def _inline(text: str) -> str:
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked)
