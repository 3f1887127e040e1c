"""A declaration file as data that remembers its lines: what comes in is YAML (or SQL with a YAML header), what goes out
is plain data plus the line of every key. Problems are collected, never raised one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Spot = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Problems:
    """What is wrong, as `file:line: what`."""

    root: Path
    found: list[str] = field(default_factory=list)

    def add(self, path: Path, line: int, what: str) -> None:
        self.found.append(f"{path.relative_to(self.root)}:{line}: {what}")


@dataclass(frozen=True)
class Source:
    """One declaration file: its data, and the line where each key path stands."""

    path: Path
    data: Any
    lines: dict[Spot, int]
    problems: Problems

    @property
    def name(self) -> str:
        """The file's path below the folder that is read."""
        return self.path.relative_to(self.problems.root).as_posix()

    def line_of(self, spot: Spot) -> int:
        """Line of the key path, or of its nearest parent that is written in the file."""
        while spot and spot not in self.lines:
            spot = spot[:-1]
        return self.lines.get(spot, 1)

    def problem(self, spot: Spot, what: str) -> None:
        self.problems.add(self.path, self.line_of(spot), what)

    def build(self, model: type[Model], data: Any, spot: Spot = ()) -> Model | None:
        """The data as a typed value, or None with its problems reported."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for detail in error.errors():
                at = (*spot, *detail["loc"])
                self.problem(at, f"{'.'.join(map(str, at)) or 'file'}: {_sentence(detail)}")
            return None


def read_source(path: Path, problems: Problems, text: str | None = None, first_line: int = 1) -> Source | None:
    """Read one YAML file (or `text` of it, which starts at `first_line`); None with the problem reported."""
    try:
        node = yaml.compose(text if text is not None else path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problems.add(path, first_line + (mark.line if mark else 0), f"not YAML: {getattr(error, 'problem', None) or 'unreadable'}")
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.add(path, 1, f"cannot be read: {type(error).__name__}")
        return None
    if not isinstance(node, yaml.MappingNode):
        problems.add(path, first_line, "a declaration is a mapping of keys to values")
        return None
    lines: dict[Spot, int] = {}
    source = Source(path, _plain(node, (), lines, first_line), lines, problems)
    _report_repeated_keys(node, source, first_line)
    return source


def _plain(node: yaml.Node, spot: Spot, lines: dict[Spot, int], first_line: int) -> Any:
    lines.setdefault(spot, node.start_mark.line + first_line)
    if isinstance(node, yaml.MappingNode):
        data = {}
        for key, value in node.value:
            lines[(*spot, key.value)] = key.start_mark.line + first_line
            data[key.value] = _plain(value, (*spot, key.value), lines, first_line)
        return data
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*spot, index), lines, first_line) for index, item in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    return constructor.construct_object(node) if not node.tag.endswith(":timestamp") else node.value


def _report_repeated_keys(node: yaml.Node, source: Source, first_line: int) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                source.problems.add(source.path, key.start_mark.line + first_line, f"{key.value} stands twice")
            seen.add(key.value)
            _report_repeated_keys(value, source, first_line)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _report_repeated_keys(item, source, first_line)


def _sentence(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "unknown key"
    if detail["type"] == "missing":
        return "is required"
    return str(detail["msg"]).removeprefix("Value error, ")
