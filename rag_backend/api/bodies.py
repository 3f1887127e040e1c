"""What a request may say and what a reply says, as OpenAPI shows it. Requests are strict: what is not declared is refused."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rag_backend.query.typed_query import TypedQuery

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEARS = range(1900, 2200)  # of which every day has neighbours that a calendar can write


def _written_day(value: Any) -> Any:
    if value is None or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("a day is written YYYY-MM-DD")


def _of_our_time(day: date) -> date:
    if day.year not in _YEARS:
        raise ValueError(f"a day lies in the years {_YEARS[0]} to {_YEARS[-1]}")
    return day


Day = Annotated[date, BeforeValidator(_written_day), AfterValidator(_of_our_time), Field(strict=False)]
AnswerId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Body(BaseModel):
    """A request's body. The role is the server's: none can be named."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        # Python reads NaN, 1e999 and halves of a character; no reply could repeat them
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            raise ValueError("a number or a character in it is none that JSON can hold") from None
        return value


class Asked(Body):
    """What every question may say of itself."""

    conversation_id: Name | None = Field(default=None, description="the conversation that this belongs to; a new one where it is absent")
    answer_id: AnswerId | None = Field(default=None, description="what the answer is to be called: 32 hex digits of your own choice")


class AskBody(Asked):
    """Exactly one of `question`, `typed_query` and `option_id`."""

    question: str | None = Field(default=None, description="a question in plain words, at most 1,000 characters")
    typed_query: TypedQuery | None = Field(default=None, strict=False, description="a question that is typed already")
    option_id: Name | None = Field(default=None, description="one of the options that this conversation was last asked back with")
    today: Day | None = Field(default=None, description="the day that relative dates count from; default today in UTC")

    @model_validator(mode="after")
    def _one_question(self) -> AskBody:
        given = [name for name in ("question", "typed_query", "option_id") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of question, typed_query and option_id, not {' and '.join(given) or 'none'}")
        if self.option_id is not None and self.conversation_id is None:
            raise ValueError("an option_id needs the conversation_id that the answer with the options had")
        return self


class SqlBody(Asked):
    """One SELECT in the engine's dialect."""

    sql: str


class FeedbackBody(Body):
    """What an asker thinks of an answer; of several ratings the last one counts."""

    answer_id: AnswerId
    rating: int = Field(ge=1, le=5)
    reason: str = Field(default="", max_length=500)


class Problem(BaseModel):
    """RFC 9457. `errors` says what is wrong in a body, each with a JSON pointer."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: list[dict[str, str]] = []


class Column(BaseModel):
    """A column of an answer."""

    name: str
    label: str
    type: str
    unit: str
    kind: str


class Chart(BaseModel):
    """How rows are drawn: marks and names of columns, nothing that runs. `point` has a metric on both axes."""

    mark: Literal["bar", "line", "area", "point", "table"]
    x: str
    y: list[str]
    color: str
    title: str


class Answer(BaseModel):
    """An answer; a refusal is one too. Decimals are text at full scale, dates ISO, rates numbers; a masked cell is null."""

    model_config = ConfigDict(extra="allow")
    answer_id: str
    conversation_id: str
    kind: Literal["data", "definition", "greeting", "sql"]
    status: Literal["answered", "clarify", "refused", "failed"]
    reason_code: str
    question: str
    interpretation: str
    typed_query: dict[str, Any] | None
    lane: str
    sql: str
    columns: list[Column]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    chart: Chart | None
    options: list[dict[str, Any]]
    explanation: str
    release: dict[str, Any]
    notices: list[dict[str, str]]
    follow_ups: list[str]


class ReadableColumn(BaseModel):
    """A column that the role may read; `type` is a Spark SQL type."""

    name: str
    type: str
    about: str


class ReadableTable(BaseModel):
    """A table that the role may read."""

    name: str
    about: str
    grain: list[str]
    columns: list[ReadableColumn]


class Tables(BaseModel):
    """What the role may read of a release."""

    role: str
    release: int
    tables: list[ReadableTable]


class Cancelled(BaseModel):
    """The question has been told to stop."""

    answer_id: str
    cancelled: Literal[True] = True


class Rated(BaseModel):
    """The rating that counts."""

    answer_id: str
    rating: int


class Health(BaseModel):
    """The process is up."""

    status: Literal["up"] = "up"


class Readiness(BaseModel):
    """Questions can be answered, on this release."""

    status: Literal["ready"] = "ready"
    release: int
    engine: str
    notice: str = Field(default="", description="what is not as it should be, while questions are answered all the same")
