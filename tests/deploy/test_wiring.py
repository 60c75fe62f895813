"""Where the dependencies are is asked when they are needed, not before."""

from pathlib import Path

import pytest

from deploy.embedded import services
from deploy.wiring import store_of
from projections.redis import RedisError
from tests.conftest import settings_in, wait_for


async def test_the_password_that_redis_drew_is_asked_for_at_each_connection(
    tmp_path: Path,
) -> None:
    """A command begins with the very first `up`, or outlives a restart: each draws a new one."""
    settings = settings_in(tmp_path)
    store, answered = store_of(settings), []
    for _ in range(2):
        services.close_redis(settings)
        server = services.start(
            services.redis_command(settings, settings.redis_dir), tmp_path / "redis.log"
        )
        wait_for(settings.redis.removeprefix("redis://").removesuffix("/0"), server)
        await store.ping()
        answered.append(settings.redis_password.read_text(encoding="ascii"))
        server.kill()
        server.wait()
        with pytest.raises(RedisError):
            await store.ping()
    await store.close()

    assert len({*answered}) == 2
