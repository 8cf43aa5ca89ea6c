"""The section of a model card that says what attacks found: Markdown, from ``results.json`` alone."""

import html
import re
from collections.abc import Mapping
from pathlib import Path

from miajax.attacks.registry import ATTACKS
from miajax.campaign.privacy import privacy_note
from miajax.metrics.claims import LEAD_FPRS, lead_of
from miajax.metrics.json_form import from_json
from miajax.metrics.without_models import Checks
from miajax.report import claims, numbers
from miajax.report.attack_faces import face
from miajax.report.blind_words import blind_banners
from miajax.report.terminal import grouped
from miajax.studies.found import fullest
from miajax.typed import Json


def model_card(found: Mapping[Path, Json]) -> str:
    """The section, a heading of the second level on top.

    Args:
      found: of ``studies.found.found_results``; the study with the most attacks is told.

    Raises:
      UserError: none of them is a study of attacks that says which is strongest.
    """
    results = fullest(found)
    parts = [
        "## Privacy: membership inference",
        "Attacks ask the model whether a record was in its training data. What they find is a lower bound on what the "
        "model gives away, not a proof of safety.",
        _table(results),
        f"**Strongest attack.** {_plain(_strongest(results))}",
        f"**What would go unseen.** {_plain(_unseen(results))}",
        "**Limits**",
        "\n".join(f"- {_plain(line)}" for line in _limits(results)),
        f"Measured with miajax {results['versions']['miajax']}. {claims.lead_rule(lead_of(results))}".strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text as Markdown shows it: names of data, models and files come from users."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _table(results: Json) -> str:
    rows = {
        "Data": f"{results['dataset']}, {numbers.counted(results['num_examples'], 'example')}",
        "Model": str(results["model"]),
        "What was attacked": _attacked(results),
        "Accuracy": _accuracy(results),
        "Attacks run": ", ".join(face(name).label for name in results["attacks"]) or "none",
        "Attacks not run": ", ".join(face(name).label for name in ATTACKS if name not in results["attacks"]) or "none",
        "Differential privacy": _privacy(results),
    }
    lines = [f"| {name} | {_plain(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _attacked(results: Json) -> str:
    models = numbers.counted(results["num_valid"], "model")
    if "shadows" in results:
        return f"one target, {results['target']}, by {models} trained as its shadows"
    if results["target"] is not None:
        return f"model {results['target']} of {models}, by the others as its shadows"
    return f"{models}, each attacked with the others as its shadows"


def _accuracy(results: Json) -> str:
    if results["train_accuracy"] is None:
        return "not recorded"
    member, other = (numbers.percent(results[name]) for name in ("train_accuracy", "test_accuracy"))
    return f"{member} on members, {other} on non-members"


def _privacy(results: Json) -> str:
    if "privacy" not in results:
        return "not known: the models were trained elsewhere" if "shadows" not in results else "not known of the target"
    return "none: training gives no guarantee" if results["privacy"] is None else privacy_note(results["privacy"])


def _strongest(results: Json) -> str:
    lead = lead_of(results)
    told = claims.lead_sentence(lead)
    if lead is None:
        return told
    said = [told, claims.equals_sentence(lead)]
    if results.get("comparable") is False:
        said.append("The target is not comparable with the shadow models: they bound its leakage from below.")
    return " ".join(filter(None, said))


def _unseen(results: Json) -> str:
    """The upper end of the leading figure, and rates that rest on too few non-members."""
    lead, others = lead_of(results), int(results["num_non_members"])
    said = []
    if lead is not None:
        upper = (
            f"an AUC of up to {lead.ci[1]:.3f}"
            if lead.fpr is None
            else (f"up to {numbers.percent(lead.ci[1])} of the members named at {numbers.one_per(float(lead.fpr))}")
        )
        said.append(f"The interval of the strongest attack reaches {upper}.")
    if others:
        said.append(
            f"A leak that shows only at less than {numbers.one_per(1 / others)} would go unseen: there are "
            f"{numbers.counted(others, 'non-member')}."
        )
    if lead is not None and lead.fpr is None:
        said.append(f"No rate at {numbers.one_per(LEAD_FPRS[-1])} or fewer is resolved by every attack.")
    return " ".join(said) or "A leak of any size would go unseen."


def _limits(results: Json) -> list[str]:
    lines = [
        "Stronger attacks than those that ran, more shadow models or other data may find more.",
        *blind_banners(from_json(Checks, results) if "blind" in results else None),
        *results.get("not_comparable", ()),
    ]
    if "shadows" not in results:
        lines.append(
            "The figures are about models trained on random parts of the data by this recipe; a model trained on all "
            "of it was not attacked itself."
        )
    if results["failed_models"]:
        lines.append(f"Models that did not train well, and are left out: {len(results['failed_models'])}.")
    told = [_privacy(results), *(f"{name} was not run: " for name in results["attacks_not_run"])]
    return lines + grouped([note for note in results["notes"] if not note.startswith(tuple(told))])
