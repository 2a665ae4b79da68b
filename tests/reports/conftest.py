"""Reports are told of the same shop as its figures."""

from tests.kpi.conftest import clock, database

__all__ = ["clock", "database"]
