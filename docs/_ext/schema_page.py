"""The page on ``results.json``, made from the JSON Schema that the package holds and its tests enforce."""

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

Schema = Mapping[str, Any]


def load() -> Schema:
    """The schema as it is installed."""
    return json.loads(resources.files("miajax").joinpath("schemas/results.schema.json").read_text())


def page(schema: Schema) -> str:
    """The page, in Markdown: a section a study, then the parts that several share."""
    kinds = schema["$defs"]
    studies = [name for name, kind in kinds.items() if str(kind.get("description", "")).startswith("What miajax ")]
    parts = [
        "# results.json\n",
        "Every study writes `results.json` beside its report. This page is made from the JSON Schema (draft 2020-12) "
        "that is installed with the package; tests hold every study to it.\n",
        f"{schema.get('description', '').strip()}\n",
        "```python\nimport json\nfrom importlib import resources\n\n"
        'schema = json.loads(resources.files("miajax").joinpath("schemas/results.schema.json").read_text())\n```\n',
        "[Figures for programs](../results.md) says how keys are named and when `schema_version` is raised. Keys that "
        "are not required may be missing in the files of older versions.\n",
        "## Studies\n",
    ]
    for name in studies:
        parts += _definition(name, kinds[name], level="###")
    parts.append("## Shared parts\n")
    for name, kind in kinds.items():
        if name not in studies:
            parts += _definition(name, kind, level="###")
    return "\n".join(parts)


def _definition(name: str, kind: Schema, level: str) -> list[str]:
    lines = [f"(schema-{name})=", f"{level} {name}\n"]
    if "description" in kind:
        lines.append(f"{kind['description']}\n")
    holds = [_link(part["$ref"]) for part in kind.get("allOf", ()) if "$ref" in part]
    if holds:
        lines.append(f"It also holds the keys of {' and '.join(holds)}.\n")
    rows = list(_rows(kind))
    if rows:
        lines += ["| key | type | required |", "|---|---|---|"]
        lines += [
            f"| `{key}` | {of}{f': {about}' if about else ''} | {'yes' if must else ''} |"
            for key, of, must, about in rows
        ]
        lines.append("")
    elif not holds:
        lines.append(f"{_typed(kind)[0].upper()}{_typed(kind)[1:]}.\n")
    return lines


def _rows(kind: Schema, prefix: str = "") -> Iterator[tuple[str, str, bool, str]]:
    """Key, type, whether it is required and what it means, of an object and of the objects in it."""
    for part in _alternatives(kind):
        yield from _rows(part, prefix)
    for key, of in kind.get("properties", {}).items():
        yield f"{prefix}{key}", _typed(of), key in kind.get("required", ()), str(of.get("description", ""))
        inner, mark = of, "."
        if of.get("type") == "array":
            inner, mark = of.get("items", {}), "[]."
        elif isinstance(of.get("additionalProperties"), Mapping):
            inner, mark = of["additionalProperties"], ".NAME."
        if "$ref" not in inner and ("properties" in inner or any(_alternatives(inner))):
            yield from _rows(inner, f"{prefix}{key}{mark}")


def _alternatives(kind: Schema) -> list[Schema]:
    """The objects that a value may be, where it may be something else instead."""
    return [part for several in ("anyOf", "oneOf") for part in kind.get(several, ()) if "properties" in part]


def _typed(of: Schema) -> str:
    """A type in words, with links to what it refers to."""
    if "$ref" in of:
        return _link(of["$ref"])
    if "const" in of:
        return f"`{json.dumps(of['const'])}`"
    if "enum" in of:
        return "one of " + ", ".join(f"`{json.dumps(each)}`" for each in of["enum"])
    for several in ("anyOf", "oneOf"):
        if several in of:
            return " or ".join(dict.fromkeys(_typed(each) for each in of[several]))
    kind = of.get("type")
    if isinstance(kind, list):
        return " or ".join(_typed({**of, "type": each}) for each in kind)
    if kind == "array":
        ends = of.get("minItems"), of.get("maxItems")
        count = f"{ends[0]} of " if ends[0] is not None and ends[0] == ends[1] else ""
        return f"list of {count}{_typed(of['items'])}" if "items" in of else "list"
    if kind == "object":
        values = of.get("additionalProperties")
        return f"object of {_typed(values)} by name" if isinstance(values, Mapping) and values else "object"
    if kind in ("number", "integer"):
        low, high = of.get("minimum"), of.get("maximum")
        within = f" from {low} to {high}" if high is not None else f", at least {low}" if low is not None else ""
        return f"{kind}{within}"
    return str(kind or "any value")


def _link(reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    return f"[{name}](#schema-{name})"
