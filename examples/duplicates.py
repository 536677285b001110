"""List the pictures of a library that are copies, or nearly so, of a better one: duplicates.py data/demo."""

import sys

import xuntu

(folder,) = sys.argv[1:]
with xuntu.open(folder) as library:
    for kept, *others in library.duplicates().groups:
        print(f"keep  {kept.picture.place}")
        for other in others:
            print(f"{other.why}  {other.picture.place}")
