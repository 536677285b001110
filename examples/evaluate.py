"""Measure how often the right picture is among the first ten: evaluate.py data/demo questions.csv.

The table has the columns query and picture (its path below the folder). `xuntu evaluate` does more: intervals, several
right pictures, comparison with an earlier report.
"""

import csv
import sys
from pathlib import Path

import xuntu

folder, table = sys.argv[1:]
with xuntu.open(folder) as library, Path(table).open(encoding="utf-8", newline="") as file:
    questions = list(csv.DictReader(file))
    found = 0
    for question in questions:
        try:
            hits = library.search(xuntu.Clause(text=question["query"]), k=10).hits
        except xuntu.errors.UnknownWords as error:
            print(error)
            hits = []
        found += question["picture"] in [hit.path for hit in hits]
print(f"recall@10: {found / len(questions):.0%} of {len(questions)} questions")
