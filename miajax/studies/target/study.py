"""The study of one model trained elsewhere: attacked with a run's shadow models, and compared with them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from miajax.attacks.options import RMIA_PRESETS, AttackOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS, usual_attacks
from miajax.campaign.config import Setup
from miajax.campaign.made import versions
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import Campaign, run_campaign
from miajax.campaign.saturated import clip_of_run
from miajax.campaign.stored import stored_config
from miajax.errors import UserError
from miajax.metrics.accuracy import share_correct
from miajax.metrics.claims import strongest
from miajax.metrics.groups import undivided
from miajax.metrics.paired import mean_difference, mean_rate
from miajax.metrics.roc import roc_curve, thin
from miajax.metrics.summary import AttackSummary, chance_notes, summarise, unresolved_notes
from miajax.metrics.without_models import Checks, Copies
from miajax.report.objections import Speaking, beside_baseline, objections
from miajax.runs.atomic import write_npy, write_text
from miajax.runs.content_checks import RowKind
from miajax.runs.tables import write_table
from miajax.studies import common
from miajax.studies.attacked.groups import DIVIDED, FILE, Grouping, GroupStudy, study_of_one, with_groups
from miajax.studies.blind import blind_baseline, near_duplicates
from miajax.studies.comparable import behaviour, reasons, recipe_differences, recipe_of
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundResult
from miajax.studies.target.attack import WithTarget, attack_target, put_before, shadow_figures
from miajax.studies.target.channel import Channel
from miajax.studies.target.file import Target, read_declaration, read_target
from miajax.studies.target.results import Answers, OnTarget, ShadowFigures, TargetFound
from miajax.warned import collected_warnings


@dataclasses.dataclass(frozen=True, eq=False)
class TargetAudit(FoundResult[TargetFound]):
    """What the study found, besides the files it left.

    Attributes:
      scores: ``{attack: float32[K]}`` of the target, higher = member.
    """

    scores: Mapping[str, Float[np.ndarray, " examples"]]


@collected_warnings()
def run_audit_target(
    run: Path,
    target_file: Path,
    declaration: Path | None = None,
    out: Path | None = None,
    attacks: Sequence[str] | None = None,
    options: AttackOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
    signal_kind: RowKind | None = None,
    members: Path | None = None,
) -> TargetAudit:
    """Attacks a target from elsewhere with every attack that its answers allow, and writes what was found.

    Args:
      run: run folder of the shadow models; what is missing of it is trained.
      target_file, signal_kind, members: see ``read_target``.
      declaration: the target's recipe, see ``read_declaration``.
      out: folder to write; ``<run>/targets/<name of target_file>`` if None.
      attacks: names to run; all that the target's answers allow if None.
      options: of the attacks; as published for the data set if None.
      reporter: listens to the campaign.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: whatever is wrong with the run, the target's files or ``out``; nothing has been written then.
    """
    called = invocation or Invocation()
    setup = Setup.of(stored_config(run))
    target = read_target(target_file, setup.dataset, setup.config.queries, signal_kind, members)
    recipe = recipe_of(setup)
    declared = {} if declaration is None else read_declaration(declaration, recipe)
    out = out or run / "targets" / target_file.stem
    if (out / "manifest.json").exists():
        raise UserError(
            f"--out {out} is a run folder", expected="a folder for this audit", remedy="Choose another --out"
        )
    names = usual_attacks() if attacks is None else tuple(attacks)
    if unknown := [name for name in names if name not in ATTACKS]:
        raise UserError(f"--attacks {' '.join(unknown)} is unknown", expected="some of " + ", ".join(ATTACKS))
    campaign = run_campaign(setup, run, reporter or Silent())

    options = options or AttackOptions(rmia=RMIA_PRESETS.get(setup.dataset.name, RmiaOptions()))
    labels, grouping = setup.dataset.labels[target.ids], Grouping.of(campaign)
    grouping = None if grouping is None else grouping.among(target.ids)
    groups = None if grouping is None else grouping.of_row
    with called.timed("attack"):
        clip = clip_of_run(campaign.folder)
        channel = Channel.of(target, None if clip is None else clip.clip)
        stacked = put_before(campaign, target, channel)
        attacked = attack_target(stacked, names, options)
        figures: dict[str, AttackSummary] = {}
        shadows: dict[str, ShadowFigures | None] = {}
        unresolved: dict[str, None] = {}  # every attack has the same non-members: each remark once
        for name, scores in attacked.scores.items():
            found = summarise(scores[None], target.member[None], groups=groups)
            unresolved |= dict.fromkeys([*unresolved_notes(found, found.num_non_members), *chance_notes(found)])
            shadows[name] = shadow_figures(attacked.shadow_scores.get(name), found.auc.value, stacked)
            figures[name] = found
        own = {name: scores[None] for name, scores in attacked.scores.items()}
        people: GroupStudy | None = None
        if grouping is not None and undivided(target.member[None], grouping.of_row):
            figures = with_groups(figures, own, target.member[None], np.ones(1, bool), groups)
            people = study_of_one(grouping, attacked.scores, target.member)
        lead = strongest(own, target.member[None], np.ones(1, bool), groups=groups)
        unaided = attacked.unaided
        without = strongest(own, target.member[None], np.ones(1, bool), among=unaided, groups=groups)
        phi = stacked.signals.scaled_logit
        losses = None if phi is None else np.logaddexp(0.0, -np.asarray(phi[:, :, 0], np.float64))
        comparison = behaviour(stacked.correct, losses, stacked.member, stacked.valid)

    dataset = setup.dataset
    with called.timed("blind"):
        blind = blind_baseline(dataset.features[target.ids], labels, target.member, groups=groups)
        copies = near_duplicates(dataset.features[target.ids], target.member, dataset.test_features)
        checks = Checks(blind=blind, near_duplicates=_with_pool_ids(copies, target.ids))

    inside, outside = (
        share_correct(stacked.correct[-1:], side[None], groups) for side in (target.member, ~target.member)
    )
    why = reasons(comparison) if comparison else ["Fewer than 2 shadow models can be compared with the target."]
    answers = _answers(target, channel, stacked)
    found = TargetFound(
        target=target_file.name,
        run=campaign.folder.manifest["fingerprint"],
        dataset=dataset.name,
        model=setup.trainer.model.name,
        num_shadows=setup.config.num_shadows,
        num_valid=int(campaign.valid.sum()),
        num_examples=len(target.ids),
        unit="row" if people is None else "group",
        num_groups=None if groups is None else int(groups.max()) + 1,
        groups=people and people.people,
        num_members=int(target.member.sum()),
        num_non_members=int((~target.member).sum()),
        train_accuracy=mean_rate([inside]),
        test_accuracy=mean_rate([outside]),
        generalization_gap=mean_difference([(inside, outside)]),
        shadow_train_accuracy=float(np.nanmean(campaign.train_accuracy)),
        shadow_test_accuracy=float(np.nanmean(campaign.test_accuracy)),
        answers=answers,
        comparable=not why,
        not_comparable=tuple(why),
        comparison=tuple(comparison),
        declared=declared,
        recipe_differences=recipe_differences(recipe, declared),
        recipe_undeclared=tuple(name for name in recipe if name not in declared),
        device=campaign.folder.manifest["device"],
        versions=versions(),
        made=common.made_by([campaign]),
        failed_models=tuple(int(i) for i in np.flatnonzero(~campaign.valid)),
        attacks={name: OnTarget(of, not why, name not in unaided) for name, of in figures.items()},
        strongest=lead,
        without_shadows=without,
        shadows=shadows,
        attacks_not_run=attacked.skipped,
        checks=checks,
        notes=(
            *campaign.notes,
            *target.notes,
            *common.polarity_notes(figures),
            *_channel_notes(answers),
            *attacked.notes,
            *(people.notes if people is not None else [] if groups is None else [DIVIDED]),
            *unresolved,
        ),
    )

    found = dataclasses.replace(found, objections=objections(_speaking(found)))

    def report(so_far: TargetFound) -> None:
        _write(out, campaign, target, labels, attacked.scores, so_far, called.command)
        if people is None:
            (out / FILE).unlink(missing_ok=True)  # of an earlier audit under this name
        else:
            write_table(out / FILE, people.columns)

    return TargetAudit(out, called.finished("audit_target", out, found, report), attacked.scores)


def _speaking(found: TargetFound) -> Speaking:
    """What speaks to known objections."""
    return Speaking(
        lead=found.lead,
        not_run=found.attacks_not_run,
        baseline=beside_baseline(found.lead, found.figures),
        checks=found.checks,
        elsewhere=found.not_comparable,
    )


def _with_pool_ids(copies: Copies, ids: np.ndarray) -> Copies:
    """The same with members and non-members named by their number in the pool."""
    test = copies.test and dataclasses.replace(
        copies.test, closest=tuple((one, int(ids[member]), apart) for one, member, apart in copies.test.closest)
    )
    pairs = tuple((int(ids[one]), int(ids[member]), apart) for one, member, apart in copies.non_members.closest)
    return dataclasses.replace(copies, non_members=dataclasses.replace(copies.non_members, closest=pairs), test=test)


def _answers(target: Target, channel: Channel, stacked: WithTarget) -> Answers:
    phi = stacked.signals.scaled_logit
    saturated = np.zeros(len(target.ids), bool) if phi is None else channel.saturated(np.asarray(phi)[-1, :, 0])
    return Answers(
        kind=target.kind,
        decimals=target.decimals,
        queries=1 if phi is None else phi.shape[2],
        scaled_logit_bound=channel.bound,
        saturated_members=int(saturated[target.member].sum()),
        saturated_non_members=int(saturated[~target.member].sum()),
    )


def _channel_notes(answers: Answers) -> list[str]:
    notes: list[str] = []
    bound = answers.scaled_logit_bound
    if answers.kind == "labels":
        notes.append(
            "The target answers with classes only: attacks that need its confidence cannot be run, and its losses "
            "cannot be compared with the shadow models'."
        )
    if answers.decimals is not None and bound is not None:
        notes.append(
            f"The target's probabilities are rounded to {answers.decimals} decimals; the shadow models' were rounded "
            f"alike. Scaled logits beyond ±{bound:.3g} cannot be told apart."
        )
    if answers.saturated and bound is not None:
        notes.append(
            f"{answers.saturated} of the target's scaled logits lie at the bound ±{bound:.3g} "
            f"({answers.saturated_members} of members, {answers.saturated_non_members} of non-members): "
            "they tie, and their true values are at least as extreme."
        )
    return notes


def _write(
    out: Path,
    campaign: Campaign,
    target: Target,
    labels: np.ndarray,
    scores: Mapping[str, np.ndarray],
    found: TargetFound,
    command: str,
) -> None:
    from miajax.studies.target.page import TargetReportInputs, render_target_report

    for name, own in scores.items():
        write_npy(out / "scores" / f"{name}.npy", own)
    columns: dict[str, np.ndarray] = {"id": target.ids, "label": labels, "member": target.member}
    write_table(out / "per_example.parquet", columns | {f"score_{name}": own for name, own in scores.items()})
    rocs = {name: thin(roc_curve(own, target.member)) for name, own in scores.items()}
    config = dataclasses.asdict(campaign.setup.config)
    inputs = TargetReportInputs(found, config, campaign.folder.manifest, command, rocs)
    write_text(out / "report.html", render_target_report(inputs))
