"""Where a run's figures come from: time, plan, device, versions, configuration, command, citation. For every report."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from markupsafe import Markup, escape

from miajax.report import numbers
from miajax.report.page import Block, Cell, Code, Column, Columns, Details, Points, Prose, Section, Table, Terms
from miajax.runs.made import Made
from miajax.typed import Json

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ran:
    """How figures came about.

    Attributes:
      num_shadows, seed: of the run.
      device, plan, versions: of this command.
      made: what all commands spent on the models.
      timing: seconds of this command by what they were spent on.
      privacy: of private training; None where it is not private.
    """

    num_shadows: int
    seed: int
    device: str
    plan: Json
    versions: Json
    made: Made
    timing: Mapping[str, float]
    privacy: Json | None


def run_section(ran: Ran, config: Json, manifest: Json, command: str) -> Section:
    """How the run was made and how to make it again."""
    made = ran.made
    elsewhere = made.by == "elsewhere"
    devices = made.devices or [each for each in (manifest.get("device"),) if each and not elsewhere]
    facts = {
        "Fingerprint": manifest.get("fingerprint"),
        "Models trained on": ", ".join(devices),
        "This command ran on": made.device_here or ran.device,
        "Seed": ran.seed,
        "Run begun": manifest.get("created"),
        "Models finished": _span(made),
    }
    known = _names_and_values({k: v for k, v in facts.items() if v not in (None, "")})
    tables = [timing_table(ran.timing), known]
    trained_with = [
        Details("Versions that models were trained with", [_names_and_values(dict(flattened(one)))])
        for one in made.versions
        if one != ran.versions
    ]
    blocks: list[Block] = [
        Columns([table for table in tables if table.rows]),
        Prose([*made_sentences(made), _again(ran.privacy, made, manifest)]),
        Code(command),
        Details("Execution plan", [_names_and_values(dict(flattened(ran.plan)))]),
        Details("Versions of this command", [_names_and_values(dict(flattened(ran.versions)))]),
        *trained_with,
        Details("Configuration in full", [_names_and_values(dict(flattened(config)))]),
        Details("Manifest", [_names_and_values(dict(flattened(manifest)))]),
    ]
    return Section("How it was run", made_finding(made, ran.timing.get("total_s")), blocks)


def made_finding(made: Made, total: float | None) -> str:
    """Who trained the models, this command or earlier ones, and how many seconds this command took."""
    models, took = numbers.counted(made.models, "model"), f"this command took {numbers.seconds(total)}" if total else ""
    if made.by == "elsewhere":
        who = f"{models} trained elsewhere"
    elif made.models_here == 0:
        who = f"The {models} of this run were there before"
        if made.models == 1:
            who = "The model of this run was there before"
    elif made.models_here >= made.models:
        return f"{models} trained by this command" + (f", which took {numbers.seconds(total)}" if total else "")
    else:
        who = f"{models}, {numbers.count(made.models_here)} of them trained by this command and the others before"
    return f"{who}; {took}" if took else who


def made_sentences(made: Made) -> list[str]:
    """What all commands together spent on the models; nothing where no record says."""
    if made.train_s is None or made.query_s is None or made.compile_s is None:
        return []
    train, query, compiled = map(numbers.seconds, (made.train_s, made.query_s, made.compile_s))
    begin = (
        f"All commands that made the models together spent {train} on training, {query} on querying and "
        f"{compiled} on compiling for {numbers.counted(made.models_timed, 'model')}; times of workers side by side are "
        "added up."
    )
    if missing := made.groups_without_record:
        begin += f" {numbers.counted(missing, 'group')} of models kept no record of their time and are not in it."
    return [begin]


def _span(made: Made) -> str:
    first, last = made.first, made.last
    return "" if not first else first if first == last else f"{first} to {last}"


def _again(privacy: Json | None, made: Made, manifest: Json) -> str:
    if made.by == "elsewhere":
        return "To measure again: the same command, on the answers as they came back."
    if privacy is not None and privacy["release"] == "secret noise":
        return (
            "To measure again: the same command. Noise and samples of private training come from a secret key of this "
            "folder, so another folder holds other models of the same guarantee."
        )
    several = [
        name
        for name, count in (
            ("execution plans", 2 if made.other_bits or manifest.get("changed_plans") else 1),
            ("devices", len(made.devices)), ("versions", len(made.versions)),
        )
        if count > 1
    ]  # fmt: skip
    if several:
        return (
            f"To measure again: the same command. Models of this run were made under several {' and '.join(several)}, "
            "so that one command may give other bits."
        )
    if made.models_here < made.models:
        return (
            "To measure again: the same command on this run. The run itself follows from its configuration, below; "
            "with the same versions on the same device it has the same bits."
        )
    return "To measure again: the same command with the same versions on the same device gives the same bits."


def timing_table(timing: Mapping[str, float]) -> Table:
    """Seconds and share of every stage that was timed; the total last, in bold."""
    stages = [(name, numbers.finite(timing.get(key))) for key, name in _STAGES.items()]
    stages += [(key, numbers.finite(value)) for key, value in timing.items() if key not in _STAGES and key != "total_s"]
    timed = [(name, value) for name, value in stages if value is not None]
    whole = numbers.finite(timing.get("total_s"))
    total = whole or sum(value for _, value in timed)
    rows: list[list[Cell]] = [[name, value, value / total if total else None] for name, value in timed]
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


def flattened(mapping: Json, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as ``outer.inner`` names with values as short text; lists as JSON."""
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flattened(cast(Json, value), f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _names_and_values(pairs: Json) -> Table:
    return Table([Column("Name"), Column("Value", "code")], [[name, str(value)] for name, value in pairs.items()])
