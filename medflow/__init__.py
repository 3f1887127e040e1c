"""MedFlow's small shared core: declarations and their loader, settings, lakehouse access, errors, the command."""

__version__ = "0.1.0"
