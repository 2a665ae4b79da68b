import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Async tests carry @pytest.mark.anyio; the plugin comes with Starlette's anyio, so no other is needed."""
    return "asyncio"
