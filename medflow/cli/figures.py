"""Figures of a command on their way into the application's database, from which `medflow status --targets` tells them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime

import click

from medflow.errors import MedflowError
from medflow.measurements import MeasuredOn, Measurement, keep

Figures = Mapping[str, tuple[float | None, str]]
"""Value and unit by name; None was not measured."""


def keep_figures(app_db: str, figures: Figures, on: MeasuredOn) -> None:
    """Keep what a whole run measured. A database that cannot be written is told, and nothing else comes of it."""
    now = datetime.now(UTC)
    measured = [Measurement(name, value, unit, now, on) for name, (value, unit) in figures.items() if value is not None]
    try:
        keep(app_db, measured)
    except MedflowError as error:
        click.echo(f"medflow: these figures are not kept for `medflow status --targets`: {error}", err=True)


def load_now() -> float:
    """The machine's load of the last minute."""
    return round(os.getloadavg()[0], 1)
