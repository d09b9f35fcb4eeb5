"""The page of the interface: made from its OpenAPI description, without anything from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>UltraSam: HTTP interface</title>
<meta name="viewport" content="width=device-width">
<h1>UltraSam: HTTP interface</h1>"""


def reference(description: Mapping[str, Any]) -> str:
    """A page of all routes and messages of an OpenAPI description."""
    parts = [_HEAD, f"<p>{_text(description['info']['description'])}</p>"]
    parts.append('<p>For programs: <a href="openapi.json">openapi.json</a></p>')
    for path, methods in description["paths"].items():
        for method, entry in methods.items():
            parts.append(f"<h2><code>{method.upper()} {_text(path)}</code></h2>")
            parts.append(f"<p>{_text(entry.get('description', entry.get('summary', '')))}</p>")
            parts += _rows(entry)
    parts.append("<h1>Messages</h1>")
    for name, schema in description.get("components", {}).get("schemas", {}).items():
        parts.append(f'<h2 id="{_text(name)}"><code>{_text(name)}</code></h2>')
        parts.append(f"<p>{_text(schema.get('description', ''))}</p><ul>")
        required = schema.get("required", [])
        for field, kind in schema.get("properties", {}).items():
            value = _text(json.dumps(kind.get("default")))
            default = "" if field in required else f", else <code>{value}</code>"
            told = _text(kind.get("description", ""))
            parts.append(f"<li><code>{_text(field)}</code>: {_kind(kind)}{default} {told}</li>")
        parts.append("</ul>")
    return "\n".join([*parts, "</html>"])


def _rows(entry: Mapping[str, Any]) -> list[str]:
    """Parameters, body and answer of a route."""
    rows = [
        f"<li>{_text(p['in'])} <code>{_text(p['name'])}</code>: {_kind(p['schema'])}</li>"
        for p in entry.get("parameters", [])
    ]
    body = entry.get("requestBody")
    if body:
        kinds = ", ".join(_kind(content["schema"]) for content in body["content"].values())
        rows.append(f"<li>body: {kinds} {_text(body.get('description', ''))}</li>")
    for status, answer in entry.get("responses", {}).items():
        contents = answer.get("content", {}).values() if status.startswith("2") else ()
        rows += [f"<li>answer {_text(status)}: {_kind(content['schema'])}</li>" for content in contents]
    return ["<ul>", *rows, "</ul>"]


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in few words, with links to messages."""
    if "$ref" in schema:
        name = _text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{_text(json.dumps(value))}</code>" for value in schema["enum"])
    if "prefixItems" in schema:
        return "[" + ", ".join(_kind(part) for part in schema["prefixItems"]) + "]"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return _text(schema.get("type", "anything"))


def _text(text: str) -> str:
    return html.escape(str(text))
