"""netaflux: carries a Netatmo account's measures to a Fluxtream server, truly and without a hand."""

__version__ = "0.1.0"
