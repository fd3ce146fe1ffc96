"""/api/docs: the document as a page, made on the server; nothing comes from elsewhere."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.web.api.answering import HEADERS
from app.web.pages.assets import Assets
from app.web.pages.rendering import templates
from app.web.security.viewer import Viewer

__all__ = ["docs_route"]

_PATH: Final = "/api/docs"
_EXAMPLES: Final = {"/api/mastery": {"mastered": "false", "sort": "-score", "limit": "100"}}


class _Field(NamedTuple):
    """A parameter, or a field of a model. `links`: models that the type names."""

    name: str
    type: str
    links: tuple[str, ...]
    needed: bool
    text: str


class _Operation(NamedTuple):
    id: str
    path: str
    tag: str
    summary: str
    text: str
    parameters: tuple[_Field, ...]
    model: str | None
    media_types: tuple[str, ...]
    statuses: tuple[tuple[str, str], ...]
    example: str


class _Model(NamedTuple):
    name: str
    text: str
    fields: tuple[_Field, ...]
    values: tuple[str, ...]


def docs_route(document: dict[str, Any]) -> Route:
    """Return the page's route."""
    environment = templates().overlay(
        loader=ChoiceLoader([PackageLoader("app.web.api"), PackageLoader("app.web.pages")])
    )
    environment.globals["asset"] = Assets().url
    environment.filters["code"] = _code
    template = environment.get_template("docs.html")
    operations = tuple(_operations(document))
    told = {
        "document": document,
        "groups": [
            (tag["name"], tag["description"], [one for one in operations if one.tag == tag["name"]])
            for tag in document["tags"]
        ],
        "models": tuple(_models(document)),
        "headers": HEADERS,
        "answer": None,
        "path": _PATH,
    }

    async def docs(request: Request) -> Response:
        viewer = getattr(request.state, "viewer", None)
        told_to = viewer if isinstance(viewer, Viewer) else None
        page = template.render(**told, viewer=told_to, address=str(request.base_url).rstrip("/"))
        return HTMLResponse(page, headers={"Cache-Control": "private, no-cache"})

    return Route(_PATH, docs, methods=["GET"])


def _operations(document: dict[str, Any]) -> Iterator[_Operation]:
    for path, methods in document["paths"].items():
        told = methods["get"]
        content = told["responses"]["200"]["content"]
        schema = content.get("application/json", {}).get("schema", {})
        # Not to be given at all is what null stands for.
        parameters = tuple(
            _parameter(one["name"], one["schema"], one.get("description", ""), needed=one["required"])
            for one in told.get("parameters", ())
        )
        summary, _, text = told["description"].partition("\n\n")
        query = _EXAMPLES.get(path)
        yield _Operation(
            told["operationId"],
            path,
            told["tags"][0],
            summary,
            " ".join(text.split()),
            parameters,
            schema.get("$ref", "").rpartition("/")[2] or None,
            tuple(content),
            tuple((status, one["description"]) for status, one in sorted(told["responses"].items())),
            f"{path}?{urlencode(query)}" if query else path,
        )


def _models(document: dict[str, Any]) -> Iterator[_Model]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        needed = set(schema.get("required", ()))
        yield _Model(
            name,
            " ".join(schema.get("description", "").split()),
            tuple(
                _field(field, one, one.get("description", ""), needed=field in needed)
                for field, one in schema.get("properties", {}).items()
            ),
            tuple(map(str, schema.get("enum", ()))),
        )


def _parameter(name: str, schema: dict[str, Any], text: str, *, needed: bool) -> _Field:
    some = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(some) == 1:
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **some[0]}
    return _field(name, schema, text, needed=needed)


def _code(text: str) -> Markup:
    """Text in which `this` is code."""
    parts = enumerate(text.split("`"))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if place % 2 else escape(part) for place, part in parts)


def _field(name: str, schema: dict[str, Any], text: str, *, needed: bool) -> _Field:
    links: list[str] = []
    shown = _type(schema, links)
    if "default" in schema and schema["default"] not in (None, [], {}):
        text = f"{text} By default {schema['default']}.".strip()
    return _Field(name, shown, tuple(dict.fromkeys(links)), needed, text)


def _type(schema: dict[str, Any], links: list[str]) -> str:
    """The type in words; the names of models in it are added to `links`."""
    if "$ref" in schema:
        links.append(schema["$ref"].rpartition("/")[2])
        return links[-1]
    if "anyOf" in schema:
        return " or ".join(_type(one, links) for one in schema["anyOf"])
    if "allOf" in schema:
        return " and ".join(_type(one, links) for one in schema["allOf"])
    kind = ", ".join(map(str, schema["enum"])) if "enum" in schema else str(schema.get("type", "anything"))
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "array" and "prefixItems" in schema:
        kind = f"[{', '.join(_type(one, links) for one in schema['prefixItems'])}]"
    elif kind == "array":
        kind = f"list of {_type(schema.get('items', {}), links)}"
    elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        kind = f"object of {_type(schema['additionalProperties'], links)}"
    elif low is not None and high is not None:
        kind = f"{kind}, {low} to {high}"
    return kind
