"""What a strict tool's schema may not hold: the API compiles it to a grammar, and refuses what it cannot compile.

Source: the pages on strict tool use and on the limits of JSON Schema in structured outputs (platform.claude.com), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_backend.model.scripted.shape import Tool

MOST_TOOLS, MOST_OPTIONAL, MOST_UNIONS = 20, 24, 16
_ANYWHERE = {"type", "description", "title", "default", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions"}
_OF_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems"},
    "string": {"format", "pattern"},
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}


@dataclass(frozen=True)
class _Place:
    """One schema within a tool, and the references that led to it."""

    schema: Mapping[str, Any]
    root: Mapping[str, Any]
    followed: tuple[str, ...] = ()

    def of(self, schema: Any) -> _Place:
        return _Place(schema if isinstance(schema, Mapping) else {}, self.root, self.followed)


def tool_mistakes(tools: Sequence[Tool], *, all_required: bool) -> Iterator[str]:
    """What is wrong with the tools of a request. `all_required` is this product's own rule: every field of a tool is present."""
    if len(tools) > MOST_TOOLS:
        yield f"tools: at most {MOST_TOOLS} strict tools may be given; found {len(tools)}"
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    optional = unions = 0
    for number, tool in enumerate(tools):
        if tool.input_schema.get("type") != "object":
            yield f"tools.{number}.custom.input_schema.type: Input should be 'object'"
        elif tool.strict:
            places = list(_places(_Place(tool.input_schema, tool.input_schema)))
            yield from (f"tools.{number}.custom: {what}" for place in places for what in _mistakes(place, all_required))
            optional += sum(len(_optional(place)) for place in places)
            unions += sum(_is_union(one) for place in places for one in _properties(place).values())
    if optional > MOST_OPTIONAL:
        yield f"tools: at most {MOST_OPTIONAL} optional parameters in all strict tools; found {optional}"
    if unions > MOST_UNIONS:
        yield f"tools: at most {MOST_UNIONS} parameters with union types in all strict tools; found {unions}"


def _places(place: _Place) -> Iterator[_Place]:
    """The schema and every schema in it, references followed; one that comes back to itself is not followed again."""
    yield place
    name = place.schema.get("$ref")
    if isinstance(name, str) and name not in place.followed:
        target = _target(name, place.root)
        if target is not None:
            yield from _places(_Place(target, place.root, (*place.followed, name)))
    inner = [*_properties(place).values(), place.schema.get("items")]
    inner += [one for word in ("anyOf", "allOf") for one in _listed(place.schema.get(word))]
    for schema in inner:
        if isinstance(schema, Mapping):
            yield from _places(place.of(schema))


def _mistakes(place: _Place, all_required: bool) -> Iterator[str]:
    schema = place.schema
    name = schema.get("$ref")
    if isinstance(name, str):
        if name in place.followed:
            yield "Circular reference detected in schema definitions; recursive schemas are not supported"
        elif _target(name, place.root) is None:
            yield "$ref must name a definition of the same schema"
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    known = _ANYWHERE.union(*(_OF_TYPE.get(str(one), set()) for one in kinds))
    unknown = sorted(set(schema) - known)
    if unknown:
        yield f"For '{kinds[0]}' type, properties {', '.join(unknown)} are not supported"
    if "array" in kinds and schema.get("minItems", 0) not in (0, 1):
        yield "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if "string" in kinds and schema.get("format") not in (None, *_FORMATS):
        yield "For 'string' type, this 'format' is not supported"
    if "object" in kinds:
        yield from _of_object(place, all_required)


def _of_object(place: _Place, all_required: bool) -> Iterator[str]:
    if place.schema.get("additionalProperties") is not False:
        yield "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if set(_listed(place.schema.get("required"))) - set(_properties(place)):
        yield "For 'object' type, 'required' names what is not among the properties"
    if all_required and _optional(place):
        yield f"every property must be required; optional: {', '.join(_optional(place))}"


def _optional(place: _Place) -> list[str]:
    return sorted(set(_properties(place)) - set(_listed(place.schema.get("required"))))


def _properties(place: _Place) -> Mapping[str, Any]:
    properties = place.schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _is_union(schema: Any) -> bool:
    return isinstance(schema, Mapping) and ("anyOf" in schema or isinstance(schema.get("type"), list))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _target(name: str, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if name == "#":
        return root
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != "#" or parts[1] not in ("$defs", "definitions"):
        return None
    found = root.get(parts[1], {}).get(parts[2])
    return found if isinstance(found, Mapping) else None
