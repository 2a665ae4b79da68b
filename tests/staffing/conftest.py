"""The shop of the figures' tests, in Kyiv: forecasts are made from its facts."""

from tests.kpi.conftest import clock, database

__all__ = ["clock", "database"]
