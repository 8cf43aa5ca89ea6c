"""Who trains a campaign on a cluster."""

from pathlib import Path

from miajax.campaign.cluster.connection import Connection
from miajax.campaign.config import Setup
from miajax.campaign.progress import Reporter
from miajax.campaign.runner import Runner


def runner_on(connection: Connection, setup: Setup, path: Path, reporter: Reporter) -> Runner:
    """The engine of a campaign whose models are trained on a cluster, networks or estimators."""
    if setup.estimator is None:
        from miajax.campaign.cluster.networks import ClusterNetworkRunner

        return ClusterNetworkRunner(setup, path, reporter, connection)
    from miajax.campaign.cluster.estimators import ClusterEstimatorRunner

    return ClusterEstimatorRunner(setup, path, reporter, connection)
