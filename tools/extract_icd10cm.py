"""Write knowledge_base/codes/icd10cm.csv.gz: every ICD-10-CM category and code, and whether it is billable (a leaf).

Source: the free US code list as packaged by simple-icd-10-cm (extra `dev`). Its own validity test also accepts chapter
and block headings, so only categories and their subdivisions are taken. Run `make icd10cm` after an update.
"""

import gzip
from pathlib import Path

TARGET = Path(__file__).parents[1] / "knowledge_base/codes/icd10cm.csv.gz"


def code_rows() -> list[str]:
    """Lines `code,leaf` (leaf is 1 or 0), sorted, dotted codes."""
    import simple_icd_10_cm as icd

    codes = filter(icd.is_category_or_subcategory, icd.get_all_codes(with_dots=True))
    return sorted(f"{code},{int(icd.is_leaf(code))}" for code in codes)


def main() -> None:
    text = "\n".join(["code,leaf", *code_rows()]) + "\n"
    TARGET.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main()
