"""Sample claim files of three payers, and the truth about them.

In: how many claims, a seed, a folder. Out: files in each payer's own layout, a provider list and `truth.json`. The truth
is counted from what was meant while drawing; nothing here reads the pipeline's rules, SQL or tables.
"""

from medflow.generate.request import SampleRequest
from medflow.generate.sample import generate

__all__ = ["SampleRequest", "generate"]
