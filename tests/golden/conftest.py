"""``--update_golden`` writes the kept snapshots anew, for a change of results that is meant."""

import pytest


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update_golden"))
