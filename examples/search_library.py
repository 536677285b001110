"""Search a library by words, a picture, or both: search_library.py data/demo 一只猫 [PICTURE]."""

import sys
from pathlib import Path

import xuntu

folder, *asked = sys.argv[1:]
image = asked.pop() if Path(asked[-1]).is_file() else None
with xuntu.open(folder) as library:
    result = library.search(*asked, image=image, k=5)
    for note in result.notes:
        print(note.text("en"))
    for hit in result.hits:
        likely = hit.likelihood or "" if hit.relevance is None else f"{hit.relevance:.0%}"
        print(f"{hit.score:.3f}  {likely:>8}  {hit.place}")
