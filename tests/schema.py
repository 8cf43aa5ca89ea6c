"""The JSON Schema of ``results.json``, and where a result breaks it."""

import functools
import json
from importlib import resources
from typing import Any

import jsonschema

SCHEMA: dict[str, Any] = json.loads(resources.files("miajax").joinpath("schemas/results.schema.json").read_text())
MOST = 5  # breaches that are told


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMA)


def breaches(results: Any) -> list[str]:
    """``path: what is wrong`` of the first breaches; none where the results keep the schema."""
    as_read = json.loads(json.dumps(results))  # tuples are arrays, keys are text
    found = (jsonschema.exceptions.best_match([error]) for error in _validator().iter_errors(as_read))
    return [f"{error.json_path}: {error.message[:200]}" for _, error in zip(range(MOST), found, strict=False)]
