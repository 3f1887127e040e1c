"""Every error that a user may meet. One tree; the command turns each into one message and an exit code.

MedflowError (1)
├── UsageError (2)            a wrong argument, setting or declaration
│   └── DeclarationError      what is wrong in knowledge_base/, all problems at once
├── GateRefused (3)           the quality gate said no; nothing is visible
├── LandingError              files that could not be taken
├── CatalogError              the catalog or warehouse cannot be read or written
├── LockedError               another run holds the lake
├── FencedError               a newer run took over; this one must not publish
├── VerificationError         a second computation disagrees; nothing is published
└── MissingExtraError         an optional package is not installed

A message says what, where, what is allowed and what to do next. It never holds a cell's value.
"""


class MedflowError(Exception):
    """Base of all; `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(MedflowError):
    """The caller can mend it: an argument, a setting, a declaration."""

    exit_code = 2


class DeclarationError(UsageError):
    """Problems in the declarations, each as `file:line: what`, all reported together."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = sorted(problems)
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the declarations:\n  " + "\n  ".join(self.problems))


class GateRefused(MedflowError):
    """The batch is not published; the message names payer, rule, counts and first bad file."""

    exit_code = 3


class LandingError(MedflowError):
    """A landing folder or file cannot be used."""


class CatalogError(MedflowError):
    """Catalog, warehouse or a table in them cannot be used."""


class LockedError(MedflowError):
    """Another run is at work on the same lake."""


class FencedError(MedflowError):
    """This run was taken over by a newer one."""


class VerificationError(MedflowError):
    """An independent computation disagrees with what was built."""


class MissingExtraError(MedflowError):
    """An optional part of MedFlow is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; it comes with: pip install 'medflow[{extra}]'")
