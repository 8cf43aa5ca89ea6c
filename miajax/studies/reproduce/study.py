"""The paper's figures and tables, all in one resumable run, with a page that leads to them.

Each campaign is a run folder below ``<out>``, which every part reads and writes beside:

    <out>/results.json, report.html       preset, miniature, and campaigns.<name>.parts.<part>
                                          {status, finding, report, not_run, reason, num_shadows, asked, seconds}
    <out>/<campaign>/                     the run, LiRA's results and report
    <out>/<campaign>/<part>/              attacks, overfitting, outliers, saliency, defenses

A part that fails is named, and the others go on. Called again, a part that is finished and was asked for the same
(``asked``: fingerprint of data, configuration, number of models and the part's options) is left as it is, and so is the
record of campaigns and parts that are not asked for.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from miajax.campaign.config import CampaignConfig, Setup, plain
from miajax.campaign.interrupt import Stopped
from miajax.campaign.made import versions
from miajax.campaign.presets import preset
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.runner import Incomplete
from miajax.campaign.storing import file_sizes
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.json_form import from_json, to_json
from miajax.models.registry import ModelOptions
from miajax.runs.atomic import read_sealed, write_sealed, write_text
from miajax.runs.identity import fingerprint
from miajax.studies.attacks.study import run_attacks_study
from miajax.studies.defenses.catalogue import Strengths
from miajax.studies.defenses.results import Defenses
from miajax.studies.defenses.study import DefensesOptions, run_defenses
from miajax.studies.found import reading_results
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.lira.study import run_lira
from miajax.studies.outliers.study import run_outliers
from miajax.studies.overfitting.study import run_overfitting
from miajax.studies.reproduce.page import finding_of, render_reproduce_report
from miajax.studies.reproduce.record import CampaignParts, Part, Reproduced
from miajax.studies.results import FoundResult
from miajax.studies.saliency.study import run_saliency
from miajax.studies.written import write_results
from miajax.training.recipe import Recipe
from miajax.warned import collected_warnings

Preset = Literal["here", "paper"]
_LARGEST = 4 << 30  # bytes of one kind of record that is kept without being asked for
_KINDS = ("logits", "losses", "margins", "early", "parameters")
# Of each pool, for early stopping to look at. The paper sets none aside, it looks at the attack's non-members: with a
# part of the pool gone no figure could be compared with its tables.
_VALIDATION = {"here": 0.1, "paper": 0.0}

PARTS: dict[str, Callable[..., FoundResult[Any]]] = {
    "lira": run_lira,
    "attacks": run_attacks_study,
    "overfitting": run_overfitting,
    "outliers": run_outliers,
    "saliency": run_saliency,
    "defenses": run_defenses,
}


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """One campaign of a preset.

    Attributes:
      campaign: the undefended models, which every part looks at.
      defenses: how strong the defences are that they are compared with.
    """

    campaign: CampaignConfig
    defenses: DefensesOptions = dataclasses.field(default_factory=DefensesOptions)

    def options(self, part: str) -> Any:
        """What a part is asked for; None for its defaults."""
        return self.defenses if part == "defenses" else None


_PURCHASE_LIKE = CampaignConfig(
    dataset="purchase_like",
    model="mlp",
    model_options=ModelOptions(widths=(256,), activation="tanh"),
    num_shadows=64,
    recipe=Recipe(epochs=30, batch_size=64, optimizer="adam", learning_rate=1e-3, schedule="constant", momentum=0.0),
)
# Smoothing and the one epsilon are the paper's; RelaxLoss as its authors set it (Chen et al. 2022, arXiv 2207.05801);
# delta is the power of ten below 1 / members.
_PUBLISHED_STRENGTHS = {
    "cifar10_densenet": Strengths(
        smoothing=0.1, relaxed_loss=1.0, relaxed_upper=1.0,
        private_epsilon=4.95, further_epsilons=(), private_delta=1e-5, private_norm="group",
    ),
    "purchase100": Strengths(
        smoothing=0.03, relaxed_loss=0.8, relaxed_upper=0.3,
        private_epsilon=2.38, further_epsilons=(), private_delta=1e-6,
    ),
}  # fmt: skip


def reproductions(name: Preset) -> dict[str, Reproduction]:
    """The campaigns of a preset by name: the paper's own, or their likes for an afternoon on a CPU."""
    if name == "paper":
        found = {
            campaign: Reproduction(preset(campaign), DefensesOptions(strengths=strengths))
            for campaign, strengths in _PUBLISHED_STRENGTHS.items()
        }
    else:
        found = {campaign: Reproduction(preset(campaign)) for campaign in ("digits", "fashion_mnist_cnn")}
        found["purchase_like"] = Reproduction(_PURCHASE_LIKE)
    return {campaign: _changed(of, validation_fraction=_VALIDATION[name]) for campaign, of in found.items()}


def _changed(of: Reproduction, **fields: Any) -> Reproduction:
    return dataclasses.replace(of, campaign=dataclasses.replace(of.campaign, **fields))


@described
@dataclasses.dataclass(frozen=True)
class ReproduceOptions:
    """What is reproduced."""

    preset: Preset = "here"
    """paper: CIFAR-10 with a DenseNet, Purchase-100; here: digits, Fashion-MNIST, purchase_like"""
    campaigns: tuple[str, ...] | None = None
    """campaigns of the preset to run; all when not given"""
    parts: tuple[str, ...] | None = None
    """lira, attacks, overfitting, outliers, saliency, defenses; all when not given"""
    data_path: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """where data sets lie, in pairs: purchase100 FILE cifar10 FOLDER; their usual places when not given"""
    num_shadows: int | None = None
    """models of each campaign; its own number when not given"""
    validation_fraction: float | None = None
    """share of each pool set aside for early stopping. Not given: .1 for here and none for paper, whose models then
    have all their members and no row for early stopping"""
    miniature: bool = False
    """300 examples, 16 models, 3 epochs: to see that everything runs"""

    def __post_init__(self):
        if self.validation_fraction is not None and not 0.0 <= self.validation_fraction < 1.0:
            raise UserError(f"--validation_fraction {self.validation_fraction}", expected="a share in [0, 1)")
        known = reproductions(self.preset)
        datasets = [of.campaign.dataset for of in known.values()]
        for flag, names, allowed in (
            ("campaigns", self.campaigns, known), ("parts", self.parts, PARTS), ("data_path", self.data_path, datasets),
        ):  # fmt: skip
            for name in names or ():
                if name not in allowed:
                    raise UserError(f"--{flag} {name} is unknown", expected="some of " + ", ".join(allowed))

    def chosen(self) -> dict[str, Reproduction]:
        """The campaigns to run."""
        known = reproductions(self.preset)
        return {name: self._sized(of) for name, of in known.items() if self.campaigns is None or name in self.campaigns}

    def _sized(self, of: Reproduction) -> Reproduction:
        config = of.campaign
        data = dataclasses.replace(config.data, data_path=self.data_path.get(config.dataset))
        models = config.num_shadows
        if self.miniature:
            data, models = dataclasses.replace(data, max_examples=300), 16
            of = _changed(of, recipe=dataclasses.replace(config.recipe, epochs=3, batch_size=32))
        part = config.validation_fraction if self.validation_fraction is None else self.validation_fraction
        return _changed(of, data=data, num_shadows=self.num_shadows or models, validation_fraction=part)


@collected_warnings()
def run_reproduce(
    path: Path,
    options: ReproduceOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundResult[Reproduced]:
    """Runs what is missing, part by part, and writes the page that leads to the reports.

    Args:
      path: the folder to write.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: a data set cannot be read, or the folder holds something else; nothing has run then.
      Stopped: Ctrl-C or SIGTERM; what was finished is kept.
    """
    options, reporter = options or ReproduceOptions(), reporter or Silent()
    called = invocation or Invocation()
    done, chosen = _begun(path, options), options.chosen()
    setups = {name: _setup(name, of.campaign) for name, of in chosen.items()}
    for name, setup in setups.items():
        config, there = setup.config, done.campaigns.get(name)
        of = CampaignParts(config.dataset, config.model, {} if there is None else there.parts)
        done = dataclasses.replace(done, campaigns={**done.campaigns, name: of})
        for part in [p for p in PARTS if options.parts is None or p in options.parts]:
            asked = chosen[name].options(part)
            if _is_done(path, of.parts.get(part), _fingerprint(setup, asked), called.files):
                continue
            reporter.say(f"{name}: {part}")
            own = Invocation(called.command, files=called.files)
            ran = _ran(path, name, setup, part, asked, reporter, own)
            of = dataclasses.replace(of, parts={**of.parts, part: ran})
            done = _written(path, dataclasses.replace(done, campaigns={**done.campaigns, name: of}), called)
    with called.drawing(path):
        done = _written(path, done, called)
    called.print_page(path)
    return FoundResult(path, done)


def _begun(path: Path, options: ReproduceOptions) -> Reproduced:
    """What an earlier call left, or nothing yet.

    Raises:
      UserError: the folder holds another preset, a miniature beside the whole, or another study.
    """
    asked = {"preset": options.preset, "miniature": options.miniature}
    file, before = path / "results.json", {}
    if file.is_file():
        before = read_sealed(file)
        for flag, value in asked.items():
            if before.get(flag) != value:
                raise UserError(
                    f"{file} has {flag} {before.get(flag)}", expected=f"{flag} {value}", remedy="Choose another --out"
                )
    empty: dict[str, Any] = {**asked, "campaigns": {}, "timing": {}}
    with reading_results(file):
        return from_json(Reproduced, {**empty, **before, "versions": versions()})


def _setup(name: str, config: CampaignConfig) -> Setup:
    try:
        return Setup.of(config)
    except UserError as error:
        raise UserError(
            f"campaign {name}: {error}",
            remedy=f"Here --data_path names the data set too: --data_path {config.dataset} PATH. "
            "--campaigns leaves others out",
        ) from error


def _fingerprint(setup: Setup, options: Any) -> str:
    """Of all that a part's results depend on."""
    asked = None if options is None else plain(dataclasses.asdict(options))
    return fingerprint({**setup.identity(), "num_shadows": setup.config.num_shadows, "options": asked})


def _is_done(path: Path, there: Part | None, asked: str, files: PageFiles) -> bool:
    """Whether a part was finished as it is asked for now, with what is wanted beside its page."""
    if there is None or there.asked != asked or there.report is None:
        return False
    wanted = [name for name, on in (("report.pdf", files.pdf), ("figures", files.vector)) if on]
    report = path / there.report
    return report.is_file() and all((report.parent / name).exists() for name in wanted)


def _ran(path: Path, name: str, setup: Setup, part: str, options: Any, reporter: Reporter, own: Invocation) -> Part:
    """The record of a part: what it found, or why it failed."""
    begin = time.perf_counter()
    num_shadows, asked = setup.config.num_shadows, _fingerprint(setup, options)
    try:
        sizes = file_sizes(setup)
        keep: Any = tuple(kind for kind in _KINDS if sizes[kind] <= _LARGEST)
        setup = dataclasses.replace(setup, config=dataclasses.replace(setup.config, keep=keep))
        result = PARTS[part](setup, path / name, options, reporter, own)
        finding = finding_of(result)
    except (Stopped, Incomplete):
        raise
    except Exception as error:  # whatever goes wrong in one part is its result; the others go on
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not isinstance(error, UserError):
            reason = f"{type(error).__name__}: {reason}"
        reporter.say(f"{name}: {part} failed: {reason}")
        spent = time.perf_counter() - begin
        return Part(status="failed", reason=reason, num_shadows=num_shadows, asked=asked, seconds=spent)
    found = result.found
    return Part(
        status="done",
        finding=finding,
        report=str((result.folder / "report.html").relative_to(path)),
        not_run=found.not_run if isinstance(found, Defenses) else {},
        num_shadows=num_shadows,
        asked=asked,
        seconds=time.perf_counter() - begin,
    )


def _written(path: Path, done: Reproduced, called: Invocation) -> Reproduced:
    """Writes the record and its page."""
    done = dataclasses.replace(done, timing=called.timing())
    write_results("reproduce", path, to_json(done), write_sealed)  # read again by the next call
    write_text(path / "report.html", render_reproduce_report(done, called.command, path))
    return done
