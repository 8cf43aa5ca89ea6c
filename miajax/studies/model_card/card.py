"""The section of a model card that says what attacks found: Markdown, from ``results.json`` alone."""

import html
import re
from collections.abc import Mapping
from pathlib import Path

from miajax.attacks.registry import usual_attacks
from miajax.campaign.privacy import privacy_note
from miajax.metrics.claims import LEAD_FPRS
from miajax.notes import not_done
from miajax.report import claims, numbers
from miajax.report.attack_faces import face
from miajax.report.blind_words import blind_banners
from miajax.report.group_words import group_finding
from miajax.report.terminal import grouped
from miajax.studies.found import StudyFound, fullest, named, reading_results, study_of
from miajax.typed import Json


def model_card(found: Mapping[Path, Json]) -> str:
    """The section, a heading of the second level on top.

    Args:
      found: of ``studies.found.found_results``; the study with the most attacks is told.

    Raises:
      UserError: none of them is a study of attacks that says which is strongest.
    """
    results = fullest(found)
    file = named(found, results)
    study = study_of(file, results)
    with reading_results(file):
        return _card(study)


def _card(study: StudyFound) -> str:
    parts = [
        "## Privacy: membership inference",
        "Attacks ask the model whether a record was in its training data. What they find is a lower bound on what the "
        "model gives away, not a proof of safety.",
        _table(study),
        f"**Strongest attack.** {_plain(_strongest(study))}",
        f"**What would go unseen.** {_plain(_unseen(study))}",
        "**Limits**",
        "\n".join(f"- {_plain(line)}" for line in _limits(study)),
        f"Measured with miajax {study.versions['miajax']}. {claims.lead_rule(study.strongest)}".strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text as Markdown shows it: names of data, models and files come from users."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _table(study: StudyFound) -> str:
    rows = {
        "Data": f"{study.dataset}, {numbers.counted(study.num_examples, 'example')}",
        "Model": study.model,
        "What was attacked": _attacked(study),
        "Accuracy": _accuracy(study),
        "Attacks run": ", ".join(face(name).label for name in study.attacks) or "none",
        "Attacks not run": ", ".join(face(name).label for name in usual_attacks() if name not in study.attacks)
        or "none",
        "Differential privacy": _privacy(study),
    }
    lines = [f"| {name} | {_plain(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _attacked(study: StudyFound) -> str:
    models = numbers.counted(study.num_valid, "model")
    if study.shadows is not None:
        return f"one target, {study.target}, by {models} trained as its shadows"
    if study.target is not None:
        return f"model {study.target} of {models}, by the others as its shadows"
    return f"{models}, each attacked with the others as its shadows"


def _accuracy(study: StudyFound) -> str:
    member, other = study.train_accuracy.value, study.test_accuracy.value
    if member is None or other is None:
        return "not recorded"
    return f"{numbers.percent(member)} on members, {numbers.percent(other)} on non-members"


def _privacy(study: StudyFound) -> str:
    if study.shadows is not None:
        return "not known of the target"
    if study.plan is None:
        return "not known: the models were trained elsewhere"
    if study.privacy is not None:
        return privacy_note(study.privacy)
    by = (study.made or {}).get("by")
    if by == "elsewhere":
        return "not known: the models were trained elsewhere"
    return "not known: the estimator trains by itself" if by == "estimator" else "none: training gives no guarantee"


def _strongest(study: StudyFound) -> str:
    lead = study.strongest
    told = claims.lead_sentence(lead)
    if lead is None:
        return told
    by_group = group_finding(study.groups, {name: of.figures for name, of in study.attacks.items()})
    said = [f"{by_group} By row: {told}" if by_group else told, claims.equals_sentence(lead)]
    if not study.comparable:
        said.append("The target is not comparable with the shadow models: they bound its leakage from below.")
    return " ".join(filter(None, said))


def _unseen(study: StudyFound) -> str:
    """The upper end of the leading figure, and rates that rest on too few non-members."""
    lead, others = study.strongest, study.num_non_members
    said: list[str] = []
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


def _limits(study: StudyFound) -> list[str]:
    lines = [
        "Stronger attacks than those that ran, more shadow models or other data may find more.",
        *blind_banners(study.checks),
        *study.not_comparable,
    ]
    if study.shadows is None:
        lines.append(
            "The figures are about models trained on random parts of the data by this recipe; a model trained on all "
            "of it was not attacked itself."
        )
    if study.failed_models:
        lines.append(f"Models that did not train well, and are left out: {len(study.failed_models)}.")
    above = {_privacy(study), *(not_done(name, "run", reason) for name, reason in study.attacks_not_run.items())}
    return lines + grouped([note for note in study.notes if note not in above])
