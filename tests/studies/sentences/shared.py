"""What reports of all studies say: claims, groups, checks, privacy, provenance, records, objections."""

import dataclasses
import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np

from miajax.metrics.figures import Figure, Figures, unresolved
from miajax.metrics.people import People
from miajax.metrics.per_record import TIMES, FprOfRecords, PerRecord, PerRecords, Share
from miajax.metrics.spread import Spread
from miajax.metrics.summary import AttackSummary
from miajax.metrics.without_models import Blind, Copies
from miajax.report import (
    attack_table,
    blind_words,
    claims,
    group_words,
    numbers,
    objections,
    privacy_words,
    provenance,
    record_words,
)
from miajax.report.attack_table import AttackFigures
from miajax.report.numbers import Estimate
from miajax.runs.made import Made
from miajax.studies.attacked import words as lira
from miajax.studies.audit.study import verdict
from miajax.studies.audit_report import words as audit_report
from tests.studies.made import made
from tests.studies.sentences.evidence import evidence_of
from tests.studies.sentences.figures import ATTACKS, CHANGES, COUNTS, RATES, SECONDS, Said, figure, leads, mixed, told


def of_claims() -> Said:
    for rate in RATES:
        yield from told(claims.unseen, rate[1:])
        for chance in (1e-12, 0.001, 0.5, 1.0):
            yield from told(claims.against_chance, rate[1:], chance)
    yield from told(claims.unseen, None)
    yield from told(claims.against_chance, None, 0.5)
    for lead in leads():
        for function in (claims.lead_finding, claims.lead_sentence, claims.equals_sentence, claims.lead_rule):
            yield from told(function, lead)
        for auc in (Estimate(0.9, (0.8, 1.0)), Estimate(None)):
            yield from told(claims.beyond_sentence, lead, "gap", auc, Estimate(0.5, (0.0, 1.0)), "An attacker")


def attack(auc: Any, tpr: Any = None, name: str = "lira_online") -> AttackFigures:
    """One attack's figures."""
    found = unresolved(0.001, 1) if tpr is None else Figure(tpr[0], tpr[1:], chance=0.002)
    none = Figure(0.0, (0.0, 0.1))
    return AttackFigures(name, Figures(figure(auc), none, Estimate(0.0), {0.001: found}, none))


def of_attacked() -> Said:
    for count in COUNTS:
        yield from told(lira.unresolved_sentence, count)
        for exposed, threshold in itertools.product(COUNTS, (0.5, 0.9996, 1.0, 1.5)):
            if exposed <= count:
                yield from told(lira.exposed_finding, exposed, count, threshold)
    for rate, fpr in itertools.product(RATES, (1e-5, 1e-3, 0.1)):
        for attainable in (None, 2 * fpr):
            one = lira.Standing("LiRA", fpr, numbers.shown(figure(rate)), attainable)
            for function in (lira.baseline_sentence, lira.card_detail, lira.precision_sentence):
                yield from told(function, one)
            yield from told(lira.offline_sentence, one, dataclasses.replace(one, label="offline LiRA"))
            yield from told(lira.precision_sentence, one, 1e-6)
        yield from told(lira.baseline_sentence, lira.Standing("LiRA", fpr, Estimate(rate[0])))
    for function in (lira.baseline_sentence, lira.precision_sentence):
        yield from told(function, None)
    yield from told(lira.offline_sentence, None, None)
    for rate in RATES:
        yield from told(lira.auc_sentence, attack(rate))
        for attacks in ([attack(rate, rate)], [attack(rate)], [attack(rate, rate), attack((0.5, 0.4, 0.6), rate)], []):
            yield from told(lira.spread_of_attacks, attacks, 0.001)
            yield from told(lira.spread_of_attacks, attacks, None)
            yield from told(attack_table.chance_remark, attacks)
        yield from told(lira.spread_finding, [rate[0]])
        yield from told(lira.spread_finding, [rate[0], rate[2]])
    yield from told(lira.spread_finding, [])
    for change in CHANGES:
        yield from told(lira.gap_finding, figure(RATES[0]), figure(RATES[-1]), figure(change))
        yield from told(lira.gap_finding, figure(RATES[-2]), figure(RATES[-1]), figure(change), "This model is")
        yield from told(lira.gap_spread_sentence, np.array(change))
    yield from told(lira.gap_spread_sentence, np.array([np.nan, 0.1]))


def of_groups() -> Said:
    for lead, count in mixed(leads(), COUNTS, rounds=1):
        for rate in (RATES[0], RATES[6], RATES[-1]) if lead is None else [(lead.value, *lead.ci)]:
            same = figure(rate)
            of = Figures(same, same, Estimate(rate[0]), {0.001: same}, same)
            summary = AttackSummary(**vars(of), num_targets=1, num_members=1, num_non_members=1, num_scores_missing=0,
                                    per_target=None, notes=())  # fmt: skip
            each = dataclasses.replace(summary, per_group=SimpleNamespace(figures=summary, num_groups=count))
            exposed = {"group": "P1", "attack": "gap", "pooled_fpr": 0.001, "tpr": rate[0], "tpr_ci": list(rate[1:]),
                       "models": count, "num_groups": count, "named_in_half": count}  # fmt: skip
            people = made(People, {
                "name": "patient", "num_groups": count, "fewest_rows": 1, "most_rows": max(1, count),
                "most_exposed": exposed if count else None, "alike_keys": {"count": count, "pairs": [["P1", "p1"]]},
                "near_copies": {"count": count, "pairs": [["P1", "P2", 1, 1]]} if count != 1 else None,
            })  # fmt: skip
            people = dataclasses.replace(people, strongest=lead)
            attacks = dict.fromkeys(ATTACKS, each)
            yield from told(group_words.group_finding, people, attacks)
            for private in (group_words._exposed, group_words._copies, group_words._keys):
                yield from told(private, people)
    yield from told(group_words.how, "patient")
    yield from told(group_words._joins, "patient")
    yield from told(group_words.group_finding, None, {})
    for one, other, few in mixed(RATES, RATES[::-1], (False, True)):
        parts = {
            name: {"num_rows": 1, "num_groups": 1, "few_groups": few, "tpr": rate[0], "tpr_ci": list(rate[1:])}
            for name, rate in (("a", one), ("b", other))
        }
        yield from told(group_words._uneven, made(Spread, {"column": "site", "fpr": "0.001", "slices": parts}))


def of_checks() -> Said:
    for rate, count in itertools.product(RATES, COUNTS):
        entry = {"auc": rate[0], "auc_ci": list(rate[1:])}
        for leaves in (True, False):
            blind = made(Blind, {"classifiers": {"linear": entry, "trees": entry}, "leaves_half": leaves, "folds": 2,
                                 "num_members": count, "num_non_members": count})  # fmt: skip
            copies = made(Copies, {"non_members": {"count": max(1, count), "near": count, "exact": 0, "closest": []},
                                   "near_below": rate[0]})  # fmt: skip
            yield from told(blind_words.blind_banner, blind)
            yield from told(blind_words.copies_banner, copies)
            section = blind_words.blind_section(blind, copies)
            yield "report.blind_words.blind_section", section.finding
            yield from (("report.blind_words.blind_section", text) for text in section.limits)


def of_private_training() -> Said:
    shared = {"unit": "row", "adjacency": "add or remove one record"}
    for epsilon, delta, unit in itertools.product((None, 0.0, 1e-12, 1.0, 8.0, 49.0, 800.0, 1e12), (1e-12, 1e-5),
                                                  ("row", "group")):  # fmt: skip
        for noise, release in ((0.0, "secret noise"), (1.0, "fixed seeds")):
            privacy = shared | {"epsilon": epsilon, "delta": delta, "unit": unit, "noise_multiplier": noise,
                                "release": release}  # fmt: skip
            for private in (privacy_words._finding, privacy_words._rate_bound, privacy_words._adjacency,
                            privacy_words._rows_only):  # fmt: skip
                yield from told(private, privacy)
            yield from told(privacy_words.sentences, ["one phrase"])
            for known in (True, False):
                evidence = evidence_of({"privacy": privacy if known else None}, "run" if known else "import")
                yield from told(audit_report.privacy_finding, evidence)
        yield from told(audit_report.odds_sentence, epsilon)
        for lower in (0.0, 1e-12, 1.0, 1e12):
            yield from told(verdict, epsilon, lower, 0.95, lower)
            yield from told(verdict, epsilon, lower, 0.95, 2 * lower)


def of_provenance() -> Said:
    for models, here, missing, seconds in mixed(COUNTS, COUNTS, COUNTS, (None, *SECONDS), rounds=20):
        for by in ("miajax", "elsewhere", "estimator"):
            one = Made(
                by=by, models=models, models_here=min(models, here), models_timed=models, compile_s=seconds,
                train_s=seconds, query_s=seconds, groups=1, groups_without_record=missing, first="a", last="b",
                devices=("one",), versions=({"jax": "1"},), other_bits=bool(missing), device_here="two",
            )  # fmt: skip
            yield from told(provenance.made_finding, one, seconds)
            yield from told(provenance.made_sentences, one)
            for privacy in (None, {"release": "secret noise"}):
                yield from told(provenance._again, privacy, one, {})


def of_records() -> Said:
    for rate, luck in mixed(RATES, RATES):
        over = dict.fromkeys(TIMES, Share(rate[0], luck[0]))
        found = PerRecord(FprOfRecords(0.01, {0.5: 0.0, 0.95: 0.1}, over), None)
        yield from told(record_words.records_finding, found, 0.01)
    yield from told(record_words.records_finding, PerRecord(None, None), 0.01)


def of_objections() -> Said:
    for lead, rate, change, not_run in mixed(leads(), RATES, CHANGES, ((), ("gap",), ("gap", "rmia"))):
        share = PerRecord(None, None)
        speaking = objections.Speaking(
            lead=lead, not_run=not_run, baseline=(figure(rate), figure(RATES[-1])),
            reached=(0.001, figure(rate), figure(rate)),
            records=PerRecords(0.01, share, {}), rank_stability=Estimate(change[0]), elsewhere=() if not_run else None,
        )  # fmt: skip
        for each in objections.objections(speaking):
            yield "report.objections.objections_sentences", each.answer
    for section in objections.objection_sections(objections.objections(objections.Speaking())):
        yield "report.objections.objection_sections", section.finding
