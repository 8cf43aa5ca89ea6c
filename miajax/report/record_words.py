"""The section on single records: how unevenly one threshold's false alarms fall, and what is left once they do not."""

from miajax.metrics.figures import fpr_key
from miajax.metrics.per_record import TIMES, FprOfRecords, PerRecord, PerRecords
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Cell, Column, Prose, Section, Table

SIGNAL = "Scaled logit"
_NO_ALARM = Estimate(None, reason="No false alarm, or nothing but false alarms.")
_NOT_DONE = Estimate(None, reason="Standardised for the strongest attack only; miajax attacks does it for all.")
_TOO_FEW = Estimate(None, reason="Too few scores of models that were not trained on a record.")
_STANDARDISED = (
    "Standardised, a score counts by how far it lies from the scores of the same record by models that were not "
    "trained on it, in their standard deviations. The target is left out, and Student's distribution allows for few "
    "models. For the scaled logit this is right on average where it is normal. Scores of LiRA and other attacks that "
    "leave the target out of their own statistics are biased against membership, record by record. With 16 models and "
    "no leak at all, standardised scores of LiRA online have an AUC of about .45. Their intervals can be too narrow as "
    "well (docs/methods.md has sizes), while those of the scaled logit hold. The line of the scaled logit shows what "
    "an attack that orders each record's answers by confidence finds once that bias is gone."
)


def record_sections(records: PerRecords | None, lead: str | None) -> list[Section]:
    """The section, where there is anything to say.

    Args:
      records: what was measured.
      lead: the attack that the report is about.
    """
    if records is None:
        return []
    faces = {SIGNAL: records.signal, **{face(name).label: of for name, of in records.attacks.items()}}
    main = records.attacks.get(lead or "", records.signal)
    at = fpr_key(records.fpr)
    spread = Table(
        [
            Column("Score"),
            *(
                column
                for times in TIMES
                for column in (
                    Column(f"Over {times} times", "number", "share of records"),
                    Column("By luck", "number", f"over {times} times"),
                )
            ),
            Column("Half have at most", "number", "own FPR"),
            Column("One in 20 has more than", "number", "own FPR"),
        ],
        [[label, *_spread(of.one_threshold)] for label, of in faces.items()],
        f"One threshold for all records, at a pooled FPR of {at}: the records' own false-positive rates.",
    )
    blocks: list[Block] = [spread, Prose([_STANDARDISED]), _standardised(faces, at)]
    return [Section("Records", records_finding(main, records.fpr), blocks)]


def records_finding(of: PerRecord, fpr: float) -> str:
    """How far single records' false-positive rates lie from the pooled one, as a sentence without a full stop."""
    found = of.one_threshold
    if found is None or TIMES[-1] not in found.over:
        return "No false alarm tells how unevenly they fall on records"
    share = found.over[TIMES[-1]]
    return (
        f"At {numbers.level(fpr)} false alarms overall, {numbers.percent(share.measured)} of the records have over "
        f"{TIMES[-1]} times as many, where luck alone would give {numbers.percent(share.by_luck)}"
    )


def _spread(found: FprOfRecords | None) -> list[Cell]:
    if found is None:
        return [_NO_ALARM] * (2 * len(TIMES) + 2)
    cells: list[Cell] = []
    for times in TIMES:
        share = found.over.get(times)
        cells += [None, None] if share is None else [Estimate(share.measured), Estimate(share.by_luck)]
    return [*cells, Estimate(found.quantiles[0.5]), Estimate(found.quantiles[0.95])]


def _standardised(faces: dict[str, PerRecord], at: str) -> Table:
    done = any(label != SIGNAL and of.standardised is not None for label, of in faces.items())
    rows: list[list[Cell]] = []
    for label, of in faces.items():
        own = of.standardised
        if own is None:
            if label == SIGNAL or done:
                missing = _TOO_FEW if label == SIGNAL else _NOT_DONE
                rows.append([label, *[missing] * 5])
            continue
        over = None if own.records is None else own.records.over.get(TIMES[0])
        rows.append([
            label, numbers.shown(own.auc, 3), *(numbers.shown(own.tpr_at_fpr[fpr]) for fpr in (1e-3, 1e-2)),
            *((_NO_ALARM, _NO_ALARM) if over is None else (Estimate(over.measured), Estimate(over.by_luck))),
        ])  # fmt: skip
    columns = [
        Column("Score"), Column("AUC", "number"), Column("TPR", "number", "at FPR 0.001"),
        Column("TPR", "number", "at FPR 0.01"), Column(f"Over {TIMES[0]} times", "number", "share of records"),
        Column("By luck", "number"),
    ]  # fmt: skip
    return Table(
        columns, rows,
        f"Standardised by record, then pooled; records' own rates at a pooled FPR of {at}. Where the share over "
        f"{TIMES[0]} times is far from luck, scores of different records are unlike in shape, too.",
    )  # fmt: skip
