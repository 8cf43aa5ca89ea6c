"""The page that leads to everything that was reproduced of the paper."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from miajax.report import claims, numbers, provenance
from miajax.report.page import Block, Code, Column, Page, Points, Prose, Section, Table
from miajax.studies.defenses.page import defenses_finding
from miajax.studies.outliers import words as outliers_words
from miajax.studies.outliers.figures import Outliers
from miajax.studies.overfitting import words as overfitting_words
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.results import FoundResult, StudyResult
from miajax.studies.saliency.page import relevance_finding
from miajax.studies.saliency.results import Saliency

Json = Mapping[str, Any]
_STANDS_FOR = {
    "lira": "LiRA, in place of one model and one threshold",
    "attacks": "every attack from the same models",
    "overfitting": "Figure 1: vulnerability over epochs",
    "outliers": "Figure 2: vulnerable examples as outliers, in features and logits",
    "saliency": "Figure 3: where models look",
    "defenses": "Tables: defences, logit reweighting included",
}
_PAPER = (
    "M. Khalil, A. Blanco-Justicia, N. Jebreel, J. Domingo-Ferrer: Membership Inference Attacks Beyond "
    "Overfitting, 2025.",
    "https://arxiv.org/abs/2511.16792",
)


def finding_of(part: str, result: StudyResult) -> str:
    """What a part found, in a sentence or two.

    Args:
      part: of ``_STANDS_FOR``.
      result: what its study returned.
    """
    found = result.found if isinstance(result, FoundResult) else None
    results = result.results
    if part == "defenses":
        return defenses_finding(results["rows"])
    if isinstance(found, Saliency):
        return _sentence(relevance_finding(found))
    if isinstance(found, Overfitting):
        return _sentence(overfitting_words.growth_finding(found))
    if isinstance(found, Outliers):
        return _sentence(outliers_words.best_finding(found))
    return claims.lead_sentence(results["strongest"])


def _sentence(finding: str) -> str:
    return finding.rstrip(".") + "."


def render_reproduce_report(results: Json, command: str) -> str:
    """Returns the page as one self-contained HTML document; its links are relative to its folder.

    Args:
      results: ``results.json`` of the study, finished or not.
      command: what was typed.
    """
    campaigns = results["campaigns"]
    parts = [part for entry in campaigns.values() for part in entry["parts"].values()]
    done = sum(part["status"] == "done" for part in parts)
    failed = len(parts) - done
    finding = f"{done} of {numbers.counted(len(parts), 'part')} of the study ran"
    finding += f", {failed} failed" if failed else ""
    total = numbers.finite(results["timing"].get("total_s"))
    miniature = "A miniature: few examples, models and epochs. It shows that everything runs, and nothing else."
    sections = [
        Section("Summary", finding, [_overview(campaigns), Prose([_how(total)])]),
        *(_campaign(name, entry) for name, entry in campaigns.items()),
        Section("How it was run", "One command runs what is missing, and continues where it was stopped",
                [Code(command or "run_reproduce(path)")]),
        Section("Sources", "Whose study this is", provenance.citation_blocks(results["versions"]["miajax"], [_PAPER])),
    ]  # fmt: skip
    paper = results["preset"] == "paper"
    return Page(
        kicker="Membership inference beyond overfitting, reproduced",
        title="The paper's figures and tables" if paper else "The paper's study, on data at hand",
        subtitle=finding + ".",
        facts=[("Campaigns", numbers.count(len(campaigns))), ("Parts", numbers.count(len(parts)))],
        banners=[miniature] if results["miniature"] else [],
        sections=sections,
        footer="Made by miajax.",
    ).html()


def _how(total: float | None) -> str:
    took = f" This call took {numbers.seconds(total)}." if total else ""
    return f"Every claim rests on attacks over an ensemble of models instead of one model and one threshold.{took}"


def _overview(campaigns: Json) -> Table:
    rows = [
        [name, part, _STANDS_FOR[part], found["num_shadows"], found["status"], found["seconds"]]
        for name, entry in campaigns.items() for part, found in _parts(entry)
    ]  # fmt: skip
    columns = [
        Column("Campaign"), Column("Part"), Column("Stands for"), Column("Models", "count"), Column("Status"),
        Column("Time", "seconds", "of the call that finished it"),
    ]  # fmt: skip
    return Table(columns, rows)


def _parts(entry: Json) -> list[tuple[str, Json]]:
    """A campaign's parts in the order of the study, whatever order they ran in."""
    return [(part, entry["parts"][part]) for part in _STANDS_FOR if part in entry["parts"]]


def _campaign(name: str, entry: Json) -> Section:
    items: list[Markup | str] = []
    failed: list[str] = []
    left_out: list[str] = []
    for part, found in _parts(entry):
        if found["status"] == "done":
            line = Markup('<a href="{}">{}</a> ({}): {}')
            items.append(line.format(found["report"], part, _STANDS_FOR[part], found["finding"]))
            left_out += [f"{part}, {row}: {reason}" for row, reason in found["not_run"].items()]
        else:
            failed.append(f"{part}: {found['reason']}")
    blocks: list[Block] = [Points(items)] if items else []
    if failed:
        blocks.append(Points(failed, "Failed"))
    if left_out:
        blocks.append(Points(left_out, "Not run"))
    first = entry["parts"].get("lira") or {}
    finding = first.get("finding") or f"{entry['dataset']}, {entry['model']}"
    return Section(name, finding.rstrip("."), blocks)
