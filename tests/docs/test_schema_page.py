"""The page on results.json is made from the JSON Schema: every study, every shared part, every key."""

import re

from tests.docs import pages  # noqa: F401  # finds schema_page

import schema_page  # isort: skip

SCHEMA = schema_page.load()
PAGE = schema_page.page(SCHEMA)


def section(name: str) -> str:
    return re.split(r"^\(schema-", PAGE.split(f"(schema-{name})=\n", 1)[1], flags=re.MULTILINE)[0]


def test_every_definition_has_a_section_and_every_link_leads_to_one():
    anchors = re.findall(r"^\(schema-(\w+)\)=$", PAGE, re.MULTILINE)
    assert sorted(anchors) == sorted(SCHEMA["$defs"])
    assert set(re.findall(r"\(#schema-(\w+)\)", PAGE)) <= set(anchors)


def test_every_key_of_a_definition_stands_in_its_section():
    for name, kind in SCHEMA["$defs"].items():
        for key in kind.get("properties", {}):
            assert f"| `{key}` |" in section(name), (name, key)


def test_types_are_told_in_words():
    typed = schema_page._typed
    assert typed({"type": "number", "minimum": 0, "maximum": 1}) == "number from 0 to 1"
    assert typed({"anyOf": [{"$ref": "#/$defs/rate"}, {"type": "null"}]}) == "[rate](#schema-rate) or null"
    assert (
        typed({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}) == "list of 2 of integer"
    )
    assert typed({"type": "object", "additionalProperties": {"type": "string"}}) == "object of string by name"
    assert typed({"enum": ["run", None]}) == 'one of `"run"`, `null`'


def test_keys_of_inner_objects_are_told_with_their_path():
    assert "| `canaries.kind` | string: Kind of the canaries. | yes |" in section("audit")
    assert "| `bounds.NAME.epsilon_lower` |" in section("audit")


def without_meaning(node, path):
    """Paths of the keys that have no sentence, wherever in the schema they stand."""
    if isinstance(node, list):
        for part in node:
            yield from without_meaning(part, path)
    elif isinstance(node, dict):
        for key, of in node.get("properties", {}).items():
            if not re.fullmatch(r"[A-Z`(\d].*\.", of.get("description", "")):
                yield f"{path}.{key}"
        for name, part in node.items():
            if name == "if":  # a condition, not a key
                continue
            inner = part.items() if name in ("properties", "$defs") else [(name, part)]
            for key, each in inner:
                yield from without_meaning(each, f"{path}.{key}")


def test_every_key_has_a_meaning_in_a_sentence():
    assert list(without_meaning(SCHEMA, "")) == []
    assert [name for name, kind in SCHEMA["$defs"].items() if not kind.get("description", "").endswith(".")] == []
    keys = re.findall(r"^\| `[^|]*` \|.*$", PAGE, re.MULTILINE)
    assert len(keys) > 400 and not [row for row in keys if "." not in row.split("|")[2].split(": ", 1)[-1]]


def test_a_key_without_a_meaning_is_found():
    schema = {"$defs": {"a": {"anyOf": [{"properties": {"b": {"type": "string"}}}, {"type": "null"}]}}}
    assert list(without_meaning(schema, "")) == [".a.anyOf.b"]
