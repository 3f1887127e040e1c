"""The one place that decides that SQL may run: any text in, SQL proved against a policy out, or the reason why not."""

from rag_backend.validator.proof import Approved, Dialect, Proof, Reason, Refused
from rag_backend.validator.validate import validate

__all__ = ["Approved", "Dialect", "Proof", "Reason", "Refused", "validate"]
