"""Eight virtual CPU devices for every test, chosen before the backend starts."""

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.devices()  # starts the backend: commands under test then leave the number of devices alone


@pytest.fixture(scope="session")
def devices() -> tuple[jax.Device, ...]:
    found = tuple(jax.devices())
    assert len(found) >= 8, "tests need 8 virtual CPU devices"
    return found
