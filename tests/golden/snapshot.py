"""What is kept of a command's small run, and how a later run is held against it.

Kept: the exit code, the files, ``results.json`` and what was printed. Times, versions, devices and folders differ from
machine to machine and are left out. Numbers agree to a relative 1e-4 where the models' answers are simulated; where
models are trained, rounding differs between processors, so that only names, kinds and files are compared.
"""

import json
import math
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "kept"
_OF_THE_MACHINE = {
    "timing", "seconds", "versions", "device", "plan", "command", "fingerprint", "content_hash", "runtime_s",
    "seconds_a_model", "sha256", "date",
}  # fmt: skip
_RELATIVE = 1e-4
_TREES_OF = {"numpy": "2.4.", "scikit-learn": "1.9."}
"""Versions that the kept ones were made with. Under others the boosted trees of `quantile` may be other trees."""
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def results_of(folder: Path) -> Any:
    """``results.json`` without what depends on the machine; None where there is none."""
    file = folder / "results.json"
    return _portable(json.loads(file.read_text())) if file.is_file() else None


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _portable(each) for key, each in value.items() if key not in _OF_THE_MACHINE}
    if isinstance(value, list):
        return [_portable(each) for each in value]
    return value


def files_of(folder: Path) -> list[str]:
    """Every file below a folder, by its path there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def printed(text: str, folder: Path) -> list[str]:
    """Lines of output without folders and times."""
    lines = text.replace(str(folder), "FOLDER").splitlines()
    return [re.sub(r"\s+", " ", line).strip() for line in lines if line.strip() and not line.startswith("seconds:")]


def shape_of(value: Any) -> Any:
    """The names and kinds of a JSON value: numbers and null are one kind, lists have the kinds of what they hold."""
    if isinstance(value, dict):
        return {key: shape_of(each) for key, each in value.items()}
    if isinstance(value, list):
        kinds = {json.dumps(shape_of(each), sort_keys=True) for each in value}
        return [json.loads(kind) for kind in sorted(kinds)][:1]
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "number"


def differences(kept: Any, now: Any, where: str = "") -> list[str]:
    """Where two JSON values differ, by path; numbers may by a relative ``_RELATIVE``, in sentences too.

    Names that came later are no difference: results may gain keys.
    """
    if isinstance(kept, dict) and isinstance(now, dict):
        lost = [f"{where}.{key} is missing" for key in kept if key not in now]
        both = [key for key in kept if key in now]
        return lost + [line for key in both for line in differences(kept[key], now[key], f"{where}.{key}")]
    if isinstance(kept, list) and isinstance(now, list):
        if len(kept) != len(now):
            return [f"{where} has {len(now)} entries instead of {len(kept)}: {now} instead of {kept}"]
        pairs = enumerate(zip(kept, now, strict=True))
        return [line for at, (one, other) in pairs for line in differences(one, other, f"{where}[{at}]")]
    if isinstance(kept, str) and isinstance(now, str):
        before, after = ([float(n.replace(",", "")) for n in _NUMBER.findall(text)] for text in (kept, now))
        close = _NUMBER.sub("#", kept) == _NUMBER.sub("#", now) and all(
            math.isclose(one, other, rel_tol=0.02, abs_tol=0.0011) for one, other in zip(before, after, strict=True)
        )
        return [] if close else [f"{where}: {now!r} instead of {kept!r}"]
    if _is_number(kept) and _is_number(now):
        return [] if math.isclose(kept, now, rel_tol=_RELATIVE, abs_tol=1e-6) else [f"{where}: {now} instead of {kept}"]
    return [] if kept == now else [f"{where}: {now!r} instead of {kept!r}"]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def hold_against_kept(name: str, found: Mapping[str, Any], update: bool) -> list[str]:
    """Differences from what is kept under a name; with ``update`` the kept one is written anew and there are none."""
    file = KEPT / f"{name}.json"
    if update:
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=False) + "\n")
        return []
    assert file.is_file(), f"{file} is missing: pytest tests/golden --update_golden writes it"
    found_differences = differences(json.loads(file.read_text()), dict(found))
    if all(version(name).startswith(begins) for name, begins in _TREES_OF.items()):
        return found_differences
    return [each for each in found_differences if not re.search(r"\.quantile\b|^\.printed\[\d+\]: 'quantile ", each)]
