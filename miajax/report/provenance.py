"""Where a run's figures come from: time, plan, device, versions, configuration, command, citation. For every report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from miajax.report import numbers
from miajax.report.page import Block, Code, Column, Columns, Details, Points, Prose, Section, Table, Terms

_STAGES = {
    "import_s": "Start and imports",
    "data_s": "Reading the data",
    "compile_s": "Compiling",
    "train_s": "Training",
    "query_s": "Querying the models",
    "record_s": "Reading what models recorded",
    "attack_s": "Attacks and figures",
    "blind_s": "Checks without any model",
    "report_s": "Report",
}


def run_section(
    results: Mapping[str, Any], config: Mapping[str, Any], manifest: Mapping[str, Any], command: str
) -> Section:
    """How the run was made and how to make it again."""
    timing = results.get("timing") or {}
    total = numbers.finite(timing.get("total_s"))
    models = numbers.counted(int(results.get("num_shadows") or 0), "model")
    device = results.get("device") or manifest.get("device")
    finding = f"{models} trained, queried and attacked" + (f" in {numbers.seconds(total)}" if total else "")
    finding += f" on {device}" if device else ""
    facts = {
        "Fingerprint": manifest.get("fingerprint"),
        "Device": device,
        "Seed": results.get("seed", config.get("seed")),
        "Begun": manifest.get("created"),
    }
    tables = [timing_table(timing), _names_and_values({k: v for k, v in facts.items() if v not in (None, "")})]
    blocks: list[Block] = [
        Columns([table for table in tables if table.rows]),
        Prose([_again(results.get("privacy"))]),
        Code(command),
        Details("Execution plan", [_names_and_values(dict(flattened(results.get("plan") or {})))]),
        Details("Versions", [_names_and_values(dict(flattened(results.get("versions") or {})))]),
        Details("Configuration in full", [_names_and_values(dict(flattened(config)))]),
        Details("Manifest", [_names_and_values(dict(flattened(manifest)))]),
    ]
    return Section("How it was run", finding, blocks)


def _again(privacy: Mapping[str, Any] | None) -> str:
    if privacy is not None and privacy["release"] == "secret noise":
        return (
            "To measure again: the same command. Noise and samples of private training come from a secret key of this "
            "folder, so another folder holds other models of the same guarantee."
        )
    return "To measure again: the same command with the same versions on the same device gives the same bits."


def timing_table(timing: Mapping[str, Any]) -> Table:
    """Seconds and share of every stage that was timed; the total last, in bold."""
    stages = [(name, numbers.finite(timing.get(key))) for key, name in _STAGES.items()]
    stages += [(key, numbers.finite(value)) for key, value in timing.items() if key not in _STAGES and key != "total_s"]
    timed = [(name, value) for name, value in stages if value is not None]
    whole = numbers.finite(timing.get("total_s"))
    total = whole or sum(value for _, value in timed)
    rows: list[list[Any]] = [[name, value, value / total if total else None] for name, value in timed]
    if rows:
        rows.append(["Total" if whole else "Total, without this report", total, 1.0])
    columns = [Column("Stage"), Column("Time", "seconds"), Column("Share", "share")]
    return Table(columns, rows, emphasis=[len(rows) - 1])


def citation_blocks(version: str, sources: Sequence[tuple[str, str]]) -> list[Block]:
    """How to cite the tool and the work it rests on.

    Args:
      version: of miajax, or empty.
      sources: ``(reference, address)`` of each work.
    """
    tool = "The miajax authors: miajax" + (f", version {version}" if version else "") + "."
    return [Points([tool, *(link(text, address) for text, address in sources)], "How to cite")]


def link(text: str, address: str) -> Markup:
    """Text followed by a plain link; both are escaped."""
    return Markup('{} <a href="{}">{}</a>').format(escape(text), address, address.removeprefix("https://"))


def glossary(pairs: Sequence[tuple[str, str]]) -> Terms:
    """Terms and their meaning, in alphabetical order."""
    return Terms(sorted(pairs, key=lambda pair: pair[0].lower()))


def flattened(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as ``outer.inner`` names with values as short text; lists as JSON."""
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _names_and_values(pairs: Mapping[str, Any]) -> Table:
    return Table([Column("Name"), Column("Value", "code")], [[name, str(value)] for name, value in pairs.items()])
