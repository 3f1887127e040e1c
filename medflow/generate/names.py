"""Invented names, states and free-text notes. Constants only; nobody real is meant."""

from __future__ import annotations

from typing import Final

FIRST: Final = (
    *("Amara", "Bastian", "Calla", "Dario", "Elowen", "Farid", "Greta", "Hanno", "Imani"),
    *("Jorun", "Kaito", "Liora", "Mateus", "Nerys", "Osric", "Pilar", "Quill", "Rosalind"),
    *("Soren", "Tamsin", "Ulla", "Vikram", "Wren", "Xenia", "Yusuf", "Zelda", "Anselm"),
    *("Bryony", "Corvin", "Delphine", "Emeka", "Freya", "Gideon", "Halima", "Ivo", "Juno"),
)
LAST: Final = (
    *("Abernethy", "Brandvold", "Castellan", "Dunmore", "Eastlake", "Fairweather", "Greenhalgh", "Hollowell", "Iverness"),
    *("Jessamine", "Kingsbarrow", "Larkspur", "Merriden", "Northcott", "Oakhurst", "Penhallow", "Quennell", "Ravensdale"),
    *("Silverthorne", "Thornquist", "Umberley", "Vantongeren", "Westerholm", "Yarrowby", "Zimmerhof", "Ashgrove", "Blackmere"),
    *("Coldwater", "Driftwood", "Elderbrook", "Foxmoor", "Glenhaven", "Hartwell", "Ironbridge"),
)
STATES: Final = (
    *("CA", "TX", "FL", "NY", "PA", "IL", "OH", "GA", "NC"),
    *("MI", "NJ", "VA", "WA", "AZ", "MA", "TN", "IN", "MO"),
    *("MD", "WI", "CO", "MN"),
)
STATE_SHARES: Final = (39, 30, 22, 20, 13, 13, 12, 11, 11, 10, 9, 9, 8, 7, 7, 7, 7, 6, 6, 6, 6, 6)
PLANS: Final = ("PPO-A", "PPO-B", "HMO-1", "HMO-2", "EPO-G", "POS-S", "MA-100", "HDHP-3")
NOTES: Final = (
    "",
    "Referred by primary care, see attachment",
    'Coder wrote "see prior", no change made',
    "First line of the note\nsecond line, with a comma",
    "Corrected units, resubmitted by the office",
    'Member asked for an "itemized" bill,\nsent by mail',
    "Other coverage checked, none found",
    "Priced by hand; contract row 12",
)
NOTE_SHARES: Final = (72, 8, 4, 4, 4, 3, 3, 2)
