"""What single records' own false alarms say of the attacks of a campaign."""

import concurrent.futures
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from miajax.campaign.gathered import Campaign
from miajax.metrics.per_record import PerRecord, PerRecords, fpr_of_records, of_standardised
from miajax.metrics.vulnerability import Exposure, exposure_at_pooled_fpr
from miajax.studies.common import EXPOSURE_FPR, Scores
from miajax.training.devices import usable_cores


def records_of(
    campaign: Campaign,
    scores: Scores,
    exposed: Mapping[str, Exposure],
    standardise: Collection[str],
    targets: Sequence[int] | None = None,
) -> PerRecords:
    """What one threshold does to single records, and what is left where scores are set against their own record's.

    Args:
      campaign: the models.
      scores: of every attack.
      exposed: how every attack treats each record at the pooled ``EXPOSURE_FPR``.
      standardise: attacks whose scores are standardised, beside the scaled logit.
      targets: the models that figures of standardised scores are about; all valid ones if None.
    """
    phi = np.where(campaign.valid[:, None], campaign.signals.mean(-1), np.nan)
    rows = None if targets is None else np.isin(np.arange(len(campaign.valid)), targets)
    groups = campaign.setup.dataset.groups

    def of(name: str | None) -> PerRecord:
        array = phi if name is None else scores[name]
        exposure = (
            exposure_at_pooled_fpr(phi, campaign.member, campaign.valid, EXPOSURE_FPR)
            if name is None
            else exposed[name]
        )
        own = None
        if name is None or name in standardise:
            own = of_standardised(
                array, campaign.member, campaign.valid, fpr=EXPOSURE_FPR, targets=rows, groups=groups
            )  # fmt: skip
        return PerRecord(fpr_of_records(exposure), own)

    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        signal, *each = pool.map(of, [None, *scores])
    return PerRecords(EXPOSURE_FPR, signal, dict(zip(scores, each, strict=True)))
