"""Pools of ICD-10-CM codes by condition, with who tends to have what and when. Constants only; a test holds the codes
against the shipped code list.
"""

from __future__ import annotations

from typing import Final

import numpy as np

LISTED_CONDITIONS: Final = 17
LEAVES: Final[dict[str, tuple[str, ...]]] = {
    "diabetes": ("E11.9", "E11.65", "E11.22", "E11.42", "E10.9", "E13.9"),
    "hypertension": ("I10", "I11.9", "I12.9", "I16.0", "I1A.0"),
    "ischemic_heart_disease": ("I25.10", "I25.110", "I20.9", "I21.4"),
    "heart_failure": ("I50.9", "I50.22", "I50.32", "I50.33"),
    "asthma": ("J45.909", "J45.40", "J45.20", "J45.901"),
    "copd": ("J44.9", "J44.1", "J44.0"),
    "depression": ("F32.A", "F33.1", "F33.9", "F32.1"),
    "anxiety": ("F41.1", "F41.9", "F40.10", "F41.0"),
    "low_back_pain": ("M54.50", "M54.16", "M54.2", "M54.59", "M54.41"),
    "osteoarthritis": ("M17.11", "M17.12", "M16.11", "M19.90", "M15.0"),
    "chronic_kidney_disease": ("N18.31", "N18.32", "N18.4", "N18.6", "N18.9"),
    "obesity": ("E66.9", "E66.01", "E66.811", "E66.3"),
    "hyperlipidemia": ("E78.5", "E78.00", "E78.2", "E78.1"),
    "reflux": ("K21.9", "K21.00"),
    "pregnancy": ("O80", "O09.511", "O09.91", "O26.891", "O99.810"),
    "preventive_care": ("Z00.00", "Z00.129", "Z12.31", "Z13.220", "Z12.11"),
    "cancer": ("C50.911", "C50.912", "C34.90", "C18.9", "C83.30", "C44.91"),
    "respiratory_infection": ("J06.9", "J02.9", "J20.9", "J01.90", "H66.90"),
    "injury": ("S93.401A", "S61.011A", "S83.511A", "S52.501A"),
    "skin": ("L70.0", "L30.9", "L20.9", "L40.0"),
    "eye": ("H52.13", "H25.13", "H40.9"),
    "digestive": ("R10.9", "R10.13", "K59.00", "K58.9"),
    "symptoms": ("R51.9", "R07.9", "R53.83", "G43.909", "N39.0"),
    "other": ("E03.9", "G47.33", "J30.9", "Z23", "I48.91", "D64.9"),
}
HEADINGS: Final[dict[str, str]] = {
    "diabetes": "E11.2",
    "hypertension": "I11",
    "ischemic_heart_disease": "I25.1",
    "heart_failure": "I50",
    "asthma": "J45",
    "copd": "J44",
    "depression": "F33",
    "anxiety": "F41",
    "low_back_pain": "M54.5",
    "osteoarthritis": "M17",
    "chronic_kidney_disease": "N18.3",
    "obesity": "E66",
    "hyperlipidemia": "E78.0",
    "reflux": "K21",
    "pregnancy": "O09",
    "preventive_care": "Z00",
    "cancer": "C50",
}
UNKNOWN: Final = ("I99.77", "J45.77", "E11.777", "Z13.777", "M54.77", "K21.77")
SECONDARY: Final = (
    *("I10", "E78.5", "E11.9", "Z79.4", "Z87.891", "Z79.899", "E66.9", "K21.9", "F41.9", "N18.30"),
    *("J45.909", "M19.90", "I25.10", "G47.33", "E03.9", "I48.91"),
)

CONDITIONS: Final = tuple(LEAVES)
_LEAF_ROWS: Final = tuple((index, code) for index, name in enumerate(CONDITIONS) for code in LEAVES[name])
CODES: Final = (*(code for _, code in _LEAF_ROWS), *HEADINGS.values(), *SECONDARY)
SAME_CODE: Final = tuple(CODES.index(code) for code in CODES)
FIRST_HEADING: Final = len(_LEAF_ROWS)
FIRST_SECONDARY: Final = FIRST_HEADING + len(HEADINGS)

# in the order of CONDITIONS
_VOLUMES: Final = (7, 9, 2, 1.5, 3, 2, 4, 4, 5, 4, 2, 3, 6, 3, 1.5, 11, 1.5, 8, 5, 3, 2, 4, 7, 6)
BASELINE: Final[dict[str, float]] = dict(zip(CONDITIONS, _VOLUMES, strict=True))
# under 18, 18-34, 35-49, 50-64, 65 and over; conditions without a row do not depend on age
AGE_FACTORS: Final[dict[str, tuple[float, ...]]] = {
    "diabetes": (0.1, 0.3, 0.8, 1.5, 1.8),
    "hypertension": (0.02, 0.2, 0.8, 1.5, 2.0),
    "ischemic_heart_disease": (0.01, 0.05, 0.4, 1.4, 2.6),
    "heart_failure": (0.01, 0.05, 0.2, 1.0, 3.2),
    "asthma": (2.2, 1.1, 0.9, 0.8, 0.7),
    "copd": (0.01, 0.05, 0.4, 1.5, 2.6),
    "depression": (0.7, 1.5, 1.2, 1.0, 0.6),
    "anxiety": (0.9, 1.6, 1.2, 0.8, 0.5),
    "osteoarthritis": (0.02, 0.1, 0.6, 1.5, 2.2),
    "chronic_kidney_disease": (0.05, 0.1, 0.4, 1.2, 2.6),
    "hyperlipidemia": (0.05, 0.3, 1.0, 1.6, 1.5),
    "preventive_care": (2.0, 0.9, 0.8, 0.9, 0.9),
    "pregnancy": (0.05, 3.0, 1.2, 0.0, 0.0),
    "cancer": (0.1, 0.2, 0.6, 1.4, 2.2),
    "respiratory_infection": (2.4, 1.1, 0.8, 0.7, 0.7),
    "injury": (1.6, 1.2, 0.9, 0.7, 1.0),
    "eye": (0.7, 0.5, 0.6, 1.0, 2.4),
}
# January to December
SEASON_FACTORS: Final[dict[str, tuple[float, ...]]] = {
    "asthma": (1.1, 1.1, 1.2, 1.4, 1.3, 0.8, 0.7, 0.7, 1.1, 1.2, 1.1, 1.1),
    "copd": (1.5, 1.4, 1.2, 1.0, 0.9, 0.7, 0.7, 0.7, 0.8, 1.0, 1.2, 1.4),
    "heart_failure": (1.3, 1.2, 1.1, 1.0, 0.9, 0.9, 0.8, 0.8, 0.9, 1.0, 1.1, 1.2),
    "depression": (1.2, 1.2, 1.1, 1.0, 0.9, 0.8, 0.8, 0.8, 0.9, 1.1, 1.2, 1.2),
    "preventive_care": (1.4, 1.2, 1.1, 1.0, 0.9, 0.9, 0.9, 1.3, 1.1, 0.9, 0.8, 0.7),
    "respiratory_infection": (1.9, 1.8, 1.3, 0.9, 0.7, 0.5, 0.4, 0.5, 0.8, 1.1, 1.4, 1.8),
    "injury": (0.8, 0.8, 0.9, 1.0, 1.2, 1.4, 1.4, 1.3, 1.0, 0.9, 0.8, 0.8),
    "skin": (0.8, 0.8, 0.9, 1.1, 1.2, 1.3, 1.3, 1.2, 1.0, 0.9, 0.8, 0.8),
}
SPECIALTIES: Final[dict[str, dict[str, float]]] = {
    "Family Medicine": {},
    "Internal Medicine": {"hypertension": 2, "diabetes": 2, "hyperlipidemia": 2},
    "Pediatrics": {"preventive_care": 3, "respiratory_infection": 3, "asthma": 2},
    "Cardiology": {"ischemic_heart_disease": 25, "heart_failure": 25, "hypertension": 4, "hyperlipidemia": 3},
    "Endocrinology": {"diabetes": 14, "obesity": 6, "hyperlipidemia": 3, "other": 3},
    "Pulmonology": {"copd": 30, "asthma": 18, "respiratory_infection": 2},
    "Psychiatry": {"depression": 40, "anxiety": 40},
    "Orthopedics": {"low_back_pain": 12, "osteoarthritis": 16, "injury": 10},
    "Obstetrics and Gynecology": {"pregnancy": 60, "preventive_care": 3},
    "Nephrology": {"chronic_kidney_disease": 60, "hypertension": 3},
    "Gastroenterology": {"reflux": 18, "digestive": 16, "preventive_care": 2},
    "Oncology": {"cancer": 120},
    "Dermatology": {"skin": 50, "cancer": 4},
    "Ophthalmology": {"eye": 80, "diabetes": 2},
    "Emergency Medicine": {"injury": 10, "symptoms": 8, "digestive": 4, "respiratory_infection": 2},
    "Physical Therapy": {"low_back_pain": 20, "osteoarthritis": 14, "injury": 8},
}
SPECIALTY_SHARES: Final = (22, 16, 8, 6, 3, 4, 5, 7, 6, 3, 4, 4, 3, 3, 4, 2)
PREGNANCY: Final = CONDITIONS.index("pregnancy")


def leaf_ranges() -> tuple[np.ndarray, np.ndarray]:
    """Of each condition: index of its first leaf in `CODES`, and how many it has."""
    sizes = np.array([len(LEAVES[name]) for name in CONDITIONS])
    return np.cumsum(sizes) - sizes, sizes


def specialty_weights() -> np.ndarray:
    """[specialty, condition] weight before age and season."""
    return np.array([[BASELINE[name] * boosts.get(name, 1.0) for name in CONDITIONS] for boosts in SPECIALTIES.values()])


def age_weights() -> np.ndarray:
    """[age class 0-4, condition] factor."""
    return np.array([AGE_FACTORS.get(name, (1.0,) * 5) for name in CONDITIONS]).T


def season_weights() -> np.ndarray:
    """[month 0-11, condition] factor."""
    return np.array([SEASON_FACTORS.get(name, (1.0,) * 12) for name in CONDITIONS]).T
