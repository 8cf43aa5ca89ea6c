"""What notebooks and scripts type: campaigns, attacks and figures in one line each, with paths as strings.

Every name here is reached as ``miajax.NAME``. All cores and the compilation cache are on from the first campaign.
"""

import dataclasses
import functools
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from miajax.attacks import registry
from miajax.attacks.attack import Attack
from miajax.attacks.options import AttackOptions
from miajax.campaign import run as engine
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.flat_settings import config_from
from miajax.campaign.presets import preset as preset_named
from miajax.campaign.progress import Reporter
from miajax.campaign.recorded import recorded_signals
from miajax.campaign.stored import stored_config
from miajax.data.dataset import Dataset
from miajax.data.registry import load_dataset as _load
from miajax.models.bring_your_own import as_model
from miajax.models.model import Model
from miajax.plugins import trusting_code
from miajax.runs.exports import ExportFormat, export_run
from miajax.runs.identity import fingerprint
from miajax.runs.mounts import local, published, shown
from miajax.runs.names import folder_name
from miajax.signals.bundle import Signals
from miajax.training.devices import use_compilation_cache, use_cpu_cores_as_devices

Member = Bool[np.ndarray, "models examples"]
Valid = Bool[np.ndarray, " models"]


class Page:
    """A report on disk: a path, and the page itself where a notebook shows it.

    Attributes:
      path: of the HTML file.

    Example:
      >>> from pathlib import Path
      >>> page = Page(Path("runs/doc/report.html"))
      >>> print(page)
      runs/doc/report.html
    """

    def __init__(self, path: Path):
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Page({self.path})"

    def _repr_html_(self) -> str:
        page = html.escape(self.path.read_text(), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:40em;border:0"></iframe>'


class Run:
    """A finished campaign with its folder: what attacks read, and the reports on it.

    Attributes:
      campaign: models, plan, accuracies and notes.
      setup: its configuration and data.

    Example:
      >>> run = run_campaign("digits", num_shadows=8, epochs=1, max_examples=200, batch_size=32, out="runs/doc")
      >>> run.member.shape, run.signals.scaled_logit.shape  # [M, N], [M, N, Q]
      ((8, 200), (8, 200, 1))
      >>> run.valid.all()
      np.True_
    """

    def __init__(self, campaign: engine.Campaign):
        self.campaign, self.setup = campaign, campaign.setup

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.campaign.folder.path

    @property
    def member(self) -> Member:
        """``bool[M, N]``: which model trained on which example."""
        return self.campaign.member

    @property
    def valid(self) -> Valid:
        """``bool[M]``: False for models that diverged."""
        return self.campaign.valid

    @functools.cached_property
    def signals(self) -> Signals:
        """What the models say of every example; fields that the run did not keep are None."""
        return recorded_signals(self.campaign, gradients=False)

    def report(self, show_records: bool = False) -> Page:
        """Attacks every model with LiRA, writes figures and the report into the run folder, and returns the page.

        Args:
          show_records: whether examples of a data set of one's own may be shown, not only numbered.
        """
        from miajax.studies.lira.study import LiraOptions, run_lira

        with published():
            result = run_lira(self.setup, self.path, LiraOptions(show_records=show_records))
        return Page(result.folder / "report.html")

    def audit(self, attacks: Sequence[str] | None = None, show_records: bool = False) -> Page:
        """Attacks every model with all attacks, or those named, writes the report on them, and returns the page.

        Raises:
          UserError: an attack is unknown, or cannot run on what was kept.
        """
        from miajax.studies.attacks.study import AttacksOptions, run_attacks_study

        names = None if attacks is None else tuple(attacks)
        with published():
            result = run_attacks_study(self.setup, self.path, AttacksOptions(attacks=names, show_records=show_records))
        return Page(result.folder / "report.html")

    def export(self, format: ExportFormat, out: str | Path) -> dict[str, Any]:
        """Writes the run in the files of another tool, and returns what ``export.json`` there says of them.

        Args:
          format: ``lira2021``, ``privacy_meter``, ``tf_privacy``, ``sklearn`` or ``safetensors`` (parameters of every
            model, by Flax's names): see ``miajax.runs.exports.export_run``.
          out: a new or empty folder.

        Raises:
          UserError: the run lacks what the format needs (``report()`` writes what ``lira`` does), or ``out`` holds
            something.
        """
        with published():
            return export_run(self.path, format, local("out", out))

    def _facts(self) -> list[tuple[str, str]]:
        trained = self.valid.sum()
        member, other = (np.nanmean(each) for each in (self.campaign.train_accuracy, self.campaign.test_accuracy))
        return [
            ("data", self.setup.dataset.name),
            ("model", self.setup.trainer.model.name),
            ("models", f"{trained} of {len(self.valid)}"),
            ("accuracy on members", f"{member:.4f}"),
            ("accuracy on others", f"{other:.4f}"),
            ("folder", shown(str(self.path))),
        ]

    def __repr__(self) -> str:
        return f"Run({', '.join(f'{name} {value}' for name, value in self._facts())})"

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><th style='text-align:left'>{name}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self._facts()
        )
        return f"<table>{''.join(rows)}</table>"


def load_dataset(name: str, **options: Any) -> Dataset:
    """A data set by name: ``digits``, ``fashion_mnist``, ``cifar10``, ``table``, ``npz``, ``tfds:NAME``, ...

    Args:
      name: as ``--dataset`` takes it.
      **options: fields of ``miajax.data.registry.DataOptions``, such as ``data_path`` and ``max_examples``.

    Returns:
      The data set, with ``features [N, ...]`` and ``labels int32[N]``.

    Raises:
      UserError: an unknown name or option, or a file that cannot be read.

    Example:
      >>> load_dataset("digits", max_examples=100)
      Dataset(digits: 100 float32 rows of 64, 10 classes)
    """
    config = config_from(CampaignConfig(), **options)
    return _load(name, config.data)


def run_campaign(
    data: Dataset | str,
    model: Any = "mlp",
    num_shadows: int = 64,
    out: str | Path | None = None,
    *,
    preset: str = "digits",
    reporter: Reporter | None = None,
    **settings: Any,
) -> Run:
    """Trains what is missing of a campaign of shadow models and gathers the whole.

    Args:
      data: a ``Dataset``, or the name of one.
      model: a network's name, ``path/to/file.py:name``, or whatever ``as_model`` takes: a Linen module, a pair
        ``(init, apply)``, a function of the number of classes. An estimator with scikit-learn's interface is named:
        ``module:Class`` or ``path/to/file.py:factory``, with ``model_args``, JSON.
      num_shadows: M; each model is also a target.
      out: run folder, or URL of an object store (``s3://bucket/run``), continued if it is there;
        ``runs/lira-<data>-<fingerprint>`` if None.
      preset: whose settings are the defaults, as ``--preset``.
      reporter: listens; silent if None.
      **settings: any flag of the main job by its name: ``epochs=10``, ``split="balanced"``, ``dp_epsilon=8.0``,
        ``keep=("logits", "losses")``, or whole groups: ``recipe=Recipe(...)``.

    Returns:
      The run, with ``signals``, ``member`` (``bool[M, N]``), ``valid`` (``bool[M]``) and ``report()``.

    Raises:
      UserError: an unknown setting; data, model and settings that do not fit; a folder of another configuration.

    Example:
      >>> run = run_campaign("digits", num_shadows=8, epochs=1, max_examples=200, batch_size=32, out="runs/doc")
      >>> run.member.shape
      (8, 200)
    """
    use_cpu_cores_as_devices()
    use_compilation_cache()
    own: Model | None = None
    if not isinstance(model, str):
        options = config_from(preset_named(preset), **settings).data
        classes = (data if isinstance(data, Dataset) else _load(data, options)).num_classes
        name = getattr(model, "name", None) or getattr(model, "__name__", None) or type(model).__name__.lower()
        own = as_model(model, name, classes)
    named = {"dataset": data if isinstance(data, str) else data.name, "num_shadows": num_shadows}
    config = config_from(preset_named(preset), **named, model=model if own is None else own.name, **settings)
    setup = Setup.of(config, data if isinstance(data, Dataset) else None, own)
    folder = folder_name("lira", setup.dataset.name, fingerprint(setup.identity()))
    path = Path("runs", folder) if out is None else local("out", out)
    with published():
        return Run(engine.run_campaign(setup, path, reporter))


def audit(
    data: Dataset | str,
    model: Any = "mlp",
    num_shadows: int = 64,
    out: str | Path | None = None,
    *,
    attacks: Sequence[str] | None = None,
    show_records: bool = False,
    **settings: Any,
) -> Page:
    """``run_campaign``, every attack on every model, and the report on all of them.

    Args:
      data, model, num_shadows, out: of ``run_campaign``.
      attacks: names; all that the run allows if None.
      show_records: whether examples of a data set of one's own may be shown, not only numbered.
      **settings: of ``run_campaign``, ``preset`` and ``reporter`` among them.

    Returns:
      The page. Scores ``float32[M, N]`` of each attack lie in ``scores`` of the run folder.

    Raises:
      UserError: see ``run_campaign`` and ``Run.audit``.

    Example:
      >>> small = {"epochs": 1, "max_examples": 200, "batch_size": 32}
      >>> page = audit("digits", num_shadows=8, out="runs/doc", attacks=["gap", "lira_online_fixed"], **small)
      >>> print(page)
      runs/doc/attacks/report.html
    """
    return run_campaign(data, model, num_shadows, out, **settings).audit(attacks, show_records)


def open_run(
    path: str | Path, reporter: Reporter | None = None, *, model: str | None = None, trust_code: bool = False
) -> Run:
    """An existing run, by its folder; models that are missing are trained.

    Args:
      path: the run folder, or its URL.
      reporter: listens; silent if None.
      model: the network, where the run's is a Python file: a folder is data, and its word runs no code.
      trust_code: run the Python file that the folder names, if it is the one whose SHA-256 the run recorded.

    Returns:
      The run, with ``member`` (``bool[M, N]``) and all that ``run_campaign`` returns.

    Raises:
      UserError: no run folder, its data cannot be read any more, or it names code that nobody confirmed.

    Example:
      >>> run = run_campaign("digits", num_shadows=8, epochs=1, max_examples=200, batch_size=32, out="runs/doc")
      >>> (open_run("runs/doc").member == run.member).all()
      np.True_
    """
    use_cpu_cores_as_devices()
    use_compilation_cache()
    folder = local("path", path)
    config = stored_config(folder)
    if model is not None:
        config = dataclasses.replace(config, model=model)
    with trusting_code(trust_code):
        setup = Setup.of(config)
    with published():
        return Run(engine.run_campaign(setup, folder, reporter))


def run_attacks(
    attacks: Sequence[str | Attack],
    signals: Signals,
    member: Member,
    valid: Valid | None = None,
    options: AttackOptions | None = None,
) -> dict[str, Float[np.ndarray, "models examples"]]:
    """Scores of every model as the target under several attacks; higher = member, NaN where there is no score.

    Args:
      attacks: names (``miajax.attack_names()`` lists them), ``path/to/file.py:name``, or attacks themselves.
      signals: from ``Run.signals``, or made of your own arrays: ``Signals(scaled_logit=..., labels=...)``.
      member: ``bool[M, N]``.
      valid: ``bool[M]``; all if None.
      options: defaults if None.

    Returns:
      ``{name: float32[M, N]}``, row m for model m as the target.

    Raises:
      UserError: an unknown attack, a signal that it needs is missing, or too few models.

    Example:
      >>> rng = np.random.default_rng(0)
      >>> member = rng.random((16, 100)) < 0.5
      >>> signals = Signals(scaled_logit=(rng.normal(size=(16, 100, 1)) + member[..., None]).astype(np.float32))
      >>> scores = run_attacks(["lira_online_fixed"], signals, member)
      >>> scores["lira_online_fixed"].shape
      (16, 100)
    """
    names: list[str] = []
    for attack in attacks:
        names.append(
            registry.ATTACKS.name_of(attack) if isinstance(attack, str) else registry.register_attack(attack).name
        )
    valid = np.ones(len(member), bool) if valid is None else valid
    return {name: scores for name, (scores, _) in registry.run_attacks(names, signals, member, valid, options).items()}


def attack_names() -> tuple[str, ...]:
    """All attacks that can be named, those from installed packages included.

    Example:
      >>> "lira_online" in attack_names()
      True
    """
    return tuple(registry.ATTACKS)
