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
    timing, made = results.get("timing") or {}, results.get("made") or {}
    elsewhere = made.get("by") == "elsewhere"
    devices = made.get("devices") or [each for each in (manifest.get("device"),) if each and not elsewhere]
    facts = {
        "Fingerprint": manifest.get("fingerprint"),
        "Models trained on": ", ".join(devices),
        "This command ran on": made.get("device_here") or results.get("device"),
        "Seed": results.get("seed", config.get("seed")),
        "Run begun": manifest.get("created"),
        "Models finished": _span(made),
    }
    known = _names_and_values({k: v for k, v in facts.items() if v not in (None, "")})
    tables = [timing_table(timing), known]
    others = [one for one in made.get("versions") or () if one != results.get("versions")]
    trained_with = [
        Details("Versions that models were trained with", [_names_and_values(dict(flattened(one)))]) for one in others
    ]
    blocks: list[Block] = [
        Columns([table for table in tables if table.rows]),
        Prose([*made_sentences(results), _again(results.get("privacy"), made, manifest)]),
        Code(command),
        Details("Execution plan", [_names_and_values(dict(flattened(results.get("plan") or {})))]),
        Details("Versions of this command", [_names_and_values(dict(flattened(results.get("versions") or {})))]),
        *trained_with,
        Details("Configuration in full", [_names_and_values(dict(flattened(config)))]),
        Details("Manifest", [_names_and_values(dict(flattened(manifest)))]),
    ]
    return Section("How it was run", made_finding(results), blocks)


def made_finding(results: Mapping[str, Any]) -> str:
    """Who trained the models, this command or earlier ones, and how long this command took."""
    made, total = results.get("made") or {}, numbers.finite((results.get("timing") or {}).get("total_s"))
    count = int(made.get("models") or results.get("num_shadows") or 0)
    models, took = numbers.counted(count, "model"), f"this command took {numbers.seconds(total)}" if total else ""
    here = made.get("models_here")
    if made.get("by") == "elsewhere":
        who = f"{models} trained elsewhere"
    elif here is None:
        who = f"The figures rest on {models}"
    elif here == 0:
        who = f"The {models} of this run were there before" if count != 1 else "The model of this run was there before"
    elif here >= count:
        return f"{models} trained by this command" + (f", which took {numbers.seconds(total)}" if total else "")
    else:
        who = f"{models}, {numbers.count(here)} of them trained by this command and the others before"
    return f"{who}; {took}" if took else who


def made_sentences(results: Mapping[str, Any]) -> list[str]:
    """What all commands together spent on the models; nothing where no record says."""
    made = results.get("made") or {}
    train = numbers.finite(made.get("train_s"))
    if train is None:
        return []
    query, compiled = (numbers.seconds(made[part]) for part in ("query_s", "compile_s"))
    timed = int(made["models_timed"])
    begin = (
        f"All commands that made the models together spent {numbers.seconds(train)} on training, {query} on asking and "
        f"{compiled} on compiling for {numbers.counted(timed, 'model')}; times of workers side by side are added up."
    )
    missing = int(made["groups_without_record"])
    if missing:
        begin += f" {numbers.counted(missing, 'group')} of models kept no record of their time and are not in it."
    return [begin]


def _span(made: Mapping[str, Any]) -> str:
    first, last = made.get("first"), made.get("last")
    return "" if not first else str(first) if first == last else f"{first} to {last}"


def _again(privacy: Mapping[str, Any] | None, made: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    if made.get("by") == "elsewhere":
        return "To measure again: the same command, on the answers as they came back."
    if privacy is not None and privacy["release"] == "secret noise":
        return (
            "To measure again: the same command. Noise and samples of private training come from a secret key of this "
            "folder, so another folder holds other models of the same guarantee."
        )
    several = [
        name
        for name, count in (
            ("execution plans", 2 if made.get("other_bits") or manifest.get("changed_plans") else 1),
            ("devices", len(made.get("devices") or ())), ("versions", len(made.get("versions") or ())),
        )
        if count > 1
    ]  # fmt: skip
    if several:
        return (
            f"To measure again: the same command. Models of this run were made under several {' and '.join(several)}, "
            "so that one command may give other bits."
        )
    if int(made.get("models_here") or 0) < int(made.get("models") or 0):
        return (
            "To measure again: the same command on this run. The run itself comes of its configuration, below; with "
            "the same versions on the same device it has the same bits."
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
    return Table(columns, rows, "Seconds of this command alone.", emphasis=[len(rows) - 1])


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
