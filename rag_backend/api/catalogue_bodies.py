"""What is said of what can be asked, as OpenAPI shows it."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, ConfigDict, Field


class Span(BaseModel):
    """First and last day of a date in the release."""

    model_config = ConfigDict(populate_by_name=True)
    date: str
    label: str
    first: datetime.date = Field(alias="from")
    last: datetime.date = Field(alias="to")


class Example(BaseModel):
    """A question that has an answer."""

    question: str
    topic: str


class Examples(BaseModel):
    """Questions that have an answer on this release for this role; `complete`: all approved ones have been tried."""

    release: int
    created_at: datetime.datetime
    run_date: datetime.date
    role: str
    complete: bool
    title: str
    spans: list[Span]
    examples: list[Example]


class KnownMetric(BaseModel):
    """What can be measured."""

    id: str
    label: str
    unit: str
    about: str
    definition: str


class KnownDimension(BaseModel):
    """What numbers can be split and filtered by; `public`: its values may be known."""

    id: str
    label: str
    about: str
    type: str
    public: bool


class MetricsCatalog(BaseModel):
    """What the declarations know."""

    release: int
    metrics: list[KnownMetric]
    dimensions: list[KnownDimension]


class ValuesAsked(BaseModel):
    """Of which dimension, and how they begin."""

    model_config = ConfigDict(extra="forbid")
    dim: str = Field(max_length=64)
    prefix: str = Field(default="", max_length=64)


class Values(BaseModel):
    """Values as people read them."""

    dim: str
    values: list[str]
