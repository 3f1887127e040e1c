"""Why vectors cannot be used. Words alone are searched then, and the reason is told."""

from __future__ import annotations

from medflow.errors import MedflowError


class VectorsUnavailable(MedflowError):
    """The model, its files or the vector store; the message says which, and what to do."""
