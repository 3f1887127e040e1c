"""How each payer writes its file: one module a payer, each stating only its own spelling."""

from medflow.generate.layouts.aetna import AetnaLayout
from medflow.generate.layouts.base import Columns, Layout, Words
from medflow.generate.layouts.bluecross import BluecrossLayout
from medflow.generate.layouts.unitedhealth import UnitedhealthLayout

LAYOUTS: tuple[type[Layout], ...] = (BluecrossLayout, AetnaLayout, UnitedhealthLayout)

__all__ = ["LAYOUTS", "Columns", "Layout", "Words"]
