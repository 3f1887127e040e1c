"""A local server that speaks the Messages API from a script and refuses what the API refuses: for tests and for work without a key."""

from rag_backend.model.scripted.script import Answer, Failure, Page, Rule, Script, Use, load_script
from rag_backend.model.scripted.server import KEY, Recorded, ScriptedModel
from rag_backend.model.scripted.wire import Limits

__all__ = ["KEY", "Answer", "Failure", "Limits", "Page", "Recorded", "Rule", "Script", "ScriptedModel", "Use", "load_script"]
