"""miajax: what a trained classifier gives away about its training data, why, and what protects it.

    import miajax as mj

    data = mj.load_dataset("digits")
    run = mj.run_campaign(data, model="mlp", num_shadows=64, out="runs/first")
    scores = mj.run_attacks(["lira_online", "rmia_offline"], run.signals, run.member)
    figures = mj.summarise(scores["lira_online"], run.member)
    print(figures.auc, figures.tpr_at_fpr[0.001])
    run.report()

Names are loaded when they are first used: ``import miajax`` costs nothing but itself.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from miajax.attacks.attack import Attack as Attack
    from miajax.attacks.from_function import attack_from as attack_from
    from miajax.attacks.options import AttackOptions as AttackOptions
    from miajax.attacks.registry import register_attack as register_attack
    from miajax.campaign.config import CampaignConfig as CampaignConfig
    from miajax.campaign.config import Setup as Setup
    from miajax.campaign.gathered import Campaign as Campaign
    from miajax.campaign.progress import Reporter as Reporter
    from miajax.data.dataset import Dataset as Dataset
    from miajax.data.registry import register_dataset as register_dataset
    from miajax.errors import UserError as UserError
    from miajax.library import Page as Page
    from miajax.library import Run as Run
    from miajax.library import attack_names as attack_names
    from miajax.library import audit as audit
    from miajax.library import load_dataset as load_dataset
    from miajax.library import open_run as open_run
    from miajax.library import run_attacks as run_attacks
    from miajax.library import run_campaign as run_campaign
    from miajax.metrics.summary import summarise as summarise
    from miajax.models.registry import register_model as register_model
    from miajax.outliers.registry import register_outlier_metric as register_outlier_metric
    from miajax.signals.bundle import Signals as Signals
    from miajax.training.recipe import Recipe as Recipe

__version__ = "0.1.0"

_HOME = {
    "Attack": "attacks.attack",
    "AttackOptions": "attacks.options",
    "Campaign": "campaign.run",
    "CampaignConfig": "campaign.config",
    "Dataset": "data.dataset",
    "Page": "library",
    "Recipe": "training.recipe",
    "Reporter": "campaign.progress",
    "Run": "library",
    "Setup": "campaign.config",
    "Signals": "signals.bundle",
    "UserError": "errors",
    "attack_from": "attacks.from_function",
    "attack_names": "library",
    "audit": "library",
    "load_dataset": "library",
    "open_run": "library",
    "register_attack": "attacks.registry",
    "register_dataset": "data.registry",
    "register_model": "models.registry",
    "register_outlier_metric": "outliers.registry",
    "run_attacks": "library",
    "run_campaign": "library",
    "summarise": "metrics.summary",
}
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]  # the names above, held once


def __getattr__(name: str) -> typing.Any:
    if name not in _HOME:
        raise AttributeError(f"module 'miajax' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"miajax.{_HOME[name]}"), name)
    globals()[name] = value  # looked up once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
