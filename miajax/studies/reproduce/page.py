"""The page that leads to everything that was reproduced of the paper."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from miajax.report import claims, numbers, provenance
from miajax.report.excerpt import figures_of
from miajax.report.page import Block, Code, Column, Columns, Page, Points, Prose, Section, Table
from miajax.studies.defenses.results import Defenses
from miajax.studies.defenses.words import defenses_finding
from miajax.studies.outliers import words as outliers_words
from miajax.studies.outliers.figures import Outliers
from miajax.studies.overfitting import words as overfitting_words
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.reproduce.beside import beside_paper
from miajax.studies.reproduce.record import CampaignParts, Part, Reproduced
from miajax.studies.results import FoundResult
from miajax.studies.saliency.page import relevance_finding
from miajax.studies.saliency.results import Saliency

_STANDS_FOR = {
    "lira": "LiRA, in place of one model and one threshold",
    "attacks": "every attack from the same models",
    "overfitting": "Figure 1: vulnerability over epochs",
    "outliers": "Figure 2: vulnerable examples as outliers, in features and logits",
    "saliency": "Figure 3: where models look",
    "defenses": "Tables: defences, logit reweighting included",
}
_SHOWN = {
    "lira": ("attacks",),
    "attacks": ("attacks",),
    "overfitting": ("scaled-logits", "accuracy", "vulnerability"),
    "outliers": ("embeddings",),
    "saliency": ("side-by-side", "relevance"),
    "defenses": ("summary",),
}
"""Sections of each part's report whose figures stand on this page, in this order."""
_MOST_SHOWN = 6
_PAPER = (
    "M. Khalil, A. Blanco-Justicia, N. Jebreel, J. Domingo-Ferrer: Membership Inference Attacks Beyond "
    "Overfitting, 2025.",
    "https://arxiv.org/abs/2511.16792",
)


def finding_of(result: FoundResult[Any]) -> str:
    """What the study of a part found, in a sentence or two."""
    found = result.found
    if isinstance(found, Defenses):
        return defenses_finding(found.of_unit.rows)
    if isinstance(found, Saliency):
        return _sentence(relevance_finding(found))
    if isinstance(found, Overfitting):
        return _sentence(overfitting_words.growth_finding(found))
    if isinstance(found, Outliers):
        return _sentence(outliers_words.best_finding(found))
    return claims.lead_sentence(found.strongest)


def _pictures(part: str, report: Path) -> list[Block]:
    """What a part's report shows that stands for the paper's, wide figures first, the others two by two."""
    sections = _SHOWN[part]
    found = [each for each in figures_of(report) if each.section in sections]
    shown = sorted(found, key=lambda each: sections.index(each.section))[:_MOST_SHOWN]
    pictures = [
        dataclasses.replace(each.figure, title=f"{_STANDS_FOR[part]}. {each.figure.title}".rstrip(" ."))
        for each in shown
    ]
    wide, half = ([each for each in pictures if each.wide is side] for side in (True, False))
    return [*wide, *([Columns(half)] if half else [])]


def _sentence(finding: str) -> str:
    return finding.rstrip(".") + "."


def render_reproduce_report(done: Reproduced, command: str, folder: Path) -> str:
    """Returns the page as one self-contained HTML document; its links are relative to its folder.

    Args:
      done: what was reproduced so far.
      command: what was typed.
      folder: of the page, where the parts' reports and results are.
    """
    campaigns = done.campaigns
    parts = [part for of in campaigns.values() for part in of.parts.values()]
    ran = sum(part.status == "done" for part in parts)
    failed = len(parts) - ran
    finding = f"{ran} of {numbers.counted(len(parts), 'part')} of the study ran"
    finding += f", {failed} failed" if failed else ""
    total = done.timing.get("total_s")
    miniature = "A miniature: few examples, models and epochs. It shows that everything runs, and nothing else."
    sections = [
        Section("Summary", finding, [_overview(campaigns), Prose([_how(total)])]),
        *(_campaign(name, of, folder) for name, of in campaigns.items()),
        Section("How it was run", "One command runs what is missing, and continues where it was stopped",
                [Code(command or "run_reproduce(path)")]),
        Section("Sources", "Whose study this is", provenance.citation_blocks(done.versions["miajax"], [_PAPER])),
    ]  # fmt: skip
    paper = done.preset == "paper"
    return Page(
        kicker="Membership inference beyond overfitting, reproduced",
        title="The paper's figures and tables" if paper else "The paper's study, on other data",
        subtitle=finding + ".",
        facts=[("Campaigns", numbers.count(len(campaigns))), ("Parts", numbers.count(len(parts)))],
        banners=[miniature] if done.miniature else [],
        sections=sections,
        footer="Made by miajax.",
    ).html()


def _how(total: float | None) -> str:
    took = f" This call took {numbers.seconds(total)}." if total else ""
    return f"Every claim rests on attacks over an ensemble of models instead of one model and one threshold.{took}"


def _overview(campaigns: Mapping[str, CampaignParts]) -> Table:
    rows = [
        [name, part, _STANDS_FOR[part], found.num_shadows, found.status, found.seconds]
        for name, of in campaigns.items() for part, found in _parts(of)
    ]  # fmt: skip
    columns = [
        Column("Campaign"), Column("Part"), Column("Stands for"), Column("Models", "count"), Column("Status"),
        Column("Time", "seconds", "of the call that finished it"),
    ]  # fmt: skip
    return Table(columns, rows)


def _parts(of: CampaignParts) -> list[tuple[str, Part]]:
    """A campaign's parts in the order of the study, whatever order they ran in."""
    return [(part, of.parts[part]) for part in _STANDS_FOR if part in of.parts]


def _campaign(name: str, of: CampaignParts, folder: Path) -> Section:
    items: list[Markup | str] = []
    failed: list[str] = []
    left_out: list[str] = []
    for part, found in _parts(of):
        if found.status == "done":
            line = Markup('<a href="{}">{}</a> ({}): {}')
            items.append(line.format(found.report, part, _STANDS_FOR[part], found.finding))
            left_out += [f"{part}, {row}: {reason}" for row, reason in (found.not_run or {}).items()]
        else:
            failed.append(f"{part}: {found.reason}")
    blocks: list[Block] = [Points(items)] if items else []
    if failed:
        blocks.append(Points(failed, "Failed"))
    if left_out:
        blocks.append(Points(left_out, "Not run"))
    blocks += beside_paper(folder / name, of, max((part.num_shadows for part in of.parts.values()), default=0))
    for part, found in _parts(of):
        if found.report is not None:
            blocks += _pictures(part, folder / found.report)
    first = of.parts.get("lira")
    finding = (first and first.finding) or f"{of.dataset}, {of.model}"
    return Section(name, finding.rstrip("."), blocks)
