"""Eight virtual CPU devices for every test, chosen before the backend starts."""

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "allow")


@pytest.fixture(scope="session")
def devices() -> tuple[jax.Device, ...]:
    found = tuple(jax.devices())
    assert len(found) >= 8, "tests need 8 virtual CPU devices"
    return found
