"""The real servers of service mode, each started from packages on a free port, with its log, and stopped again.

`python -m tests.services` (`make services`) starts all of them for development and prints the settings to export.
"""
