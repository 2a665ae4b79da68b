"""A call-centre and omnichannel contact hub: every contact of a customer in one timeline."""

__version__ = "0.1.0"
