"""The paper's figures and tables, all in one resumable run, with a page that leads to them.

Each campaign is a run folder below ``<out>``, which every part reads and writes beside:

    <out>/results.json, report.html       campaigns.<name>.parts.<part> {status, finding, report, seconds, reason}
    <out>/<campaign>/                     the run, LiRA's results and report
    <out>/<campaign>/<part>/              attacks, overfitting, outliers, saliency, defenses

A part that fails is named, and the others go on. Called again, finished parts are left as they are.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.report.reproduce_report import finding_of, render_reproduce_report
from miajax.runs.atomic import read_json, write_json, write_text
from miajax.studies import common
from miajax.studies.attacks import run_attacks_study
from miajax.studies.campaign import Incomplete, file_sizes
from miajax.studies.config import CampaignConfig, Setup
from miajax.studies.defenses import run_defenses
from miajax.studies.interrupt import Stopped
from miajax.studies.invocation import Invocation
from miajax.studies.lira import run_lira
from miajax.studies.outliers import run_outliers
from miajax.studies.overfitting import run_overfitting
from miajax.studies.presets import preset
from miajax.studies.progress import Reporter, Silent
from miajax.studies.results import StudyResult
from miajax.studies.saliency import run_saliency
from miajax.training.recipe import Recipe

Scope = Literal["paper", "here"]
_LARGEST = 4 << 30  # bytes of one kind of record that is kept without being asked for
_KINDS = ("logits", "losses", "margins", "early", "parameters")

PARTS: dict[str, Callable[..., Any]] = {
    "lira": run_lira,
    "attacks": run_attacks_study,
    "overfitting": run_overfitting,
    "outliers": run_outliers,
    "saliency": run_saliency,
    "defenses": run_defenses,
}
_PURCHASE_LIKE = CampaignConfig(
    dataset="purchase_like",
    model="mlp",
    model_options=ModelOptions(widths=(256,), activation="tanh"),
    num_shadows=64,
    recipe=Recipe(epochs=30, batch_size=64, optimizer="adam", learning_rate=1e-3, schedule="constant", momentum=0.0),
)


def campaigns_of(scope: Scope) -> dict[str, CampaignConfig]:
    """The campaigns of a preset by name: the paper's own, or their likes for an afternoon on a CPU."""
    if scope == "paper":
        found = {name: preset(name) for name in ("cifar10_densenet", "purchase100")}
    else:
        found = {name: preset(name) for name in ("digits", "fashion_mnist_cnn")} | {"purchase_like": _PURCHASE_LIKE}
    return {name: dataclasses.replace(config, validation_fraction=0.1) for name, config in found.items()}


@dataclasses.dataclass(frozen=True)
class ReproduceOptions:
    """What is reproduced."""

    scope: Scope = "here"
    """paper: CIFAR-10 with a DenseNet, Purchase-100; here: digits, Fashion-MNIST, purchase_like"""
    campaigns: tuple[str, ...] | None = None
    """campaigns of the scope to run; all when not given"""
    parts: tuple[str, ...] | None = None
    """lira, attacks, overfitting, outliers, saliency, defenses; all when not given"""
    num_shadows: int | None = None
    """models of each campaign; its own number when not given"""
    miniature: bool = False
    """300 examples, 16 models, 3 epochs: to see that everything runs"""

    def __post_init__(self):
        known = campaigns_of(self.scope)
        for flag, names, allowed in (("campaigns", self.campaigns, known), ("parts", self.parts, PARTS)):
            for name in names or ():
                if name not in allowed:
                    raise UserError(f"--{flag} {name} is unknown", expected="some of " + ", ".join(allowed))

    def configs(self) -> dict[str, CampaignConfig]:
        """The campaigns to run."""
        chosen = {k: v for k, v in campaigns_of(self.scope).items() if self.campaigns is None or k in self.campaigns}
        return {name: self._sized(config) for name, config in chosen.items()}

    def _sized(self, config: CampaignConfig) -> CampaignConfig:
        if self.miniature:
            config = dataclasses.replace(
                config,
                data=DataOptions(max_examples=300),
                num_shadows=16,
                recipe=dataclasses.replace(config.recipe, epochs=3, batch_size=32),
            )
        return dataclasses.replace(config, num_shadows=self.num_shadows or config.num_shadows)


def run_reproduce(
    path: Path,
    options: ReproduceOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> StudyResult:
    """Runs what is missing, part by part, and writes the page that leads to the reports.

    Args:
      path: the folder to write.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      Stopped: Ctrl-C or SIGTERM; what was finished is kept.
    """
    options, reporter = options or ReproduceOptions(), reporter or Silent()
    called = invocation or Invocation()
    results: dict[str, Any] = {
        "scope": options.scope, "miniature": options.miniature, "campaigns": {}, "versions": common.versions(),
    }
    before = _before(path)
    for name, config in options.configs().items():
        entry: dict[str, Any] = {"dataset": config.dataset, "model": config.model, "parts": {}}
        results["campaigns"][name] = entry
        for part in [p for p in PARTS if options.parts is None or p in options.parts]:
            there = before.get(name, {}).get(part)
            if there is not None and there["status"] == "done" and (path / there["report"]).is_file():
                entry["parts"][part] = there
                continue
            reporter.say(f"{name}: {part}")
            entry["parts"][part] = _ran(path, name, config, part, reporter, called.command)
            _write(path, results, called)
    _write(path, results, called)
    return StudyResult(path, results)


def _before(path: Path) -> dict[str, Any]:
    """Parts of an earlier call, by campaign."""
    file = path / "results.json"
    if not file.is_file():
        return {}
    return {name: entry["parts"] for name, entry in read_json(file)["campaigns"].items()}


def _ran(
    path: Path, name: str, config: CampaignConfig, part: str, reporter: Reporter, command: str
) -> dict[str, Any]:
    begin = time.perf_counter()
    try:
        setup = Setup.of(config)
        sizes = file_sizes(setup)
        keep: Any = tuple(kind for kind in _KINDS if sizes[kind] <= _LARGEST)
        setup = dataclasses.replace(setup, config=dataclasses.replace(config, keep=keep))
        found = PARTS[part](setup, path / name, None, reporter, Invocation(command))
    except (Stopped, Incomplete):
        raise
    except Exception as error:  # whatever goes wrong in one part is its result; the others go on
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not isinstance(error, UserError):
            reason = f"{type(error).__name__}: {reason}"
        reporter.say(f"{name}: {part} failed: {reason}")
        return {"status": "failed", "reason": reason, "seconds": time.perf_counter() - begin}
    return {
        "status": "done",
        "finding": finding_of(part, json.loads(json.dumps(found.results))),
        "report": str((found.folder / "report.html").relative_to(path)),
        "seconds": time.perf_counter() - begin,
    }


def _write(path: Path, results: dict[str, Any], called: Invocation) -> None:
    results["timing"] = called.timing()
    write_json(path / "results.json", results)
    write_text(path / "report.html", render_reproduce_report(results, called.command))
