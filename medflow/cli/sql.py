"""`medflow sql`, which is told as `medflow ask` is."""

from __future__ import annotations

from medflow.cli.ask import sql

__all__ = ["sql"]
