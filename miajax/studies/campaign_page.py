"""What the pages of all studies that train models share: checks without a model, limits, how it was run, sources."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from miajax.campaign.gathered import Campaign
from miajax.metrics.objections import Objection
from miajax.metrics.without_models import Checks
from miajax.report import provenance
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.objections import objection_sections
from miajax.report.page import Block, Details, Page, Points, Section
from miajax.report.provenance import Ran
from miajax.studies.results import Record

SHORT = 12  # characters of a fingerprint that tell runs apart


@runtime_checkable
class OfRun(Protocol):
    """What was found on the models of a run."""

    @property
    def checks(self) -> Checks:
        """The checks without any model."""
        ...

    @property
    def ran(self) -> Ran:
        """The run as its page prints it."""
        ...

    @property
    def objections(self) -> Sequence[Objection] | None:
        """What the figures say to known objections; None of a study that leads with no attack figure."""
        ...


@dataclasses.dataclass(frozen=True)
class Run:
    """The run that a page tells of.

    Attributes:
      config: the resolved configuration.
      manifest: of the run folder: fingerprint, hashes, plan, seeds.
      command: what was typed.
    """

    config: Record
    manifest: Record
    command: str

    @classmethod
    def of(cls, campaign: Campaign, command: str) -> "Run":
        return cls(dataclasses.asdict(campaign.setup.config), campaign.folder.manifest, command)


def campaign_page(page: Page, found: OfRun, run: Run, limits: Section, sources: Sequence[Section] = ()) -> str:
    """The page that a study begins, completed, as one self-contained HTML document.

    Args:
      page: with the study's own facts, banners and sections.
      found: by the study.
      run: whose models it rests on.
      limits: of all figures.
      sources: whose methods these are.
    """
    fingerprint = str(run.manifest.get("fingerprint") or "")[:SHORT]
    how = provenance.run_section(found.ran, run.config, run.manifest, run.command)
    return dataclasses.replace(
        page,
        facts=[fact for fact in (*page.facts, ("Fingerprint", fingerprint)) if fact[1]],
        banners=[*page.banners, *blind_banners(found.checks)],
        sections=[
            *page.sections,
            *blind_sections(found.checks),
            *objection_sections(found.objections),
            limits,
            how,
            *sources,
        ],
        footer=f"Made by miajax{' from run ' + fingerprint if fingerprint else ''}.",
    ).html()


def limits_section(
    finding: str,
    points: Sequence[str],
    notes: Sequence[str],
    beside: Sequence[Block] = (),
    title: str = "What to bear in mind",
) -> Section:
    """What all figures leave open, and behind a fold the notes of the study."""
    told = [Details("Notes", [Points(notes)])] if notes else []
    return Section("Limits", finding, [Points(points, title), *beside, *told])


def sources_section(
    finding: str, versions: Record, works: Sequence[tuple[str, str]], beside: Sequence[Block] = ()
) -> Section:
    """Whose methods these are, and how to cite them and the miajax that measured; ``works`` are texts and addresses."""
    cited = provenance.citation_blocks(str(versions.get("miajax") or ""), works)
    return Section("Sources", finding, [*beside, *cited])
