"""What tells one run from another: all that its models and signals depend on, as one hash, or leaf by leaf."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from miajax.typed import Json


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 over all that models and signals depend on, the number of models left out."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, allow_nan=False).encode()).hexdigest()


def differences(stored: Any, asked: Any, where: str = "") -> list[str]:
    """The leaves in which two JSON values differ, as ``name: stored -> asked``."""
    if isinstance(stored, Mapping) and isinstance(asked, Mapping):
        one, other = cast(Json, stored), cast(Json, asked)
        return [
            line
            for name in dict.fromkeys([*one, *other])
            for line in differences(one.get(name), other.get(name), f"{where}.{name}" if where else name)
        ]
    return [] if stored == asked else [f"{where}: {json.dumps(stored)} there, {json.dumps(asked)} asked for"]


def format_of(manifest: Mapping[str, Any]) -> int:
    """The run folder's format that a manifest names: 1 where it names none, 0 where it names no number."""
    version = manifest.get("format", 1)
    return version if isinstance(version, int) else 0
