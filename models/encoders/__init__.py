"""Encoders: pictures and texts -> unit vectors. Specs, the families behind them, and what runs them."""
