"""Ask a service, and save what it finds as thumbnails: rest_client.py http://127.0.0.1:8000 一只猫."""

import sys
from itertools import islice
from pathlib import Path

import xuntu

url, *asked = sys.argv[1:]
try:
    with xuntu.connect(url) as client:
        print(f"{client.index().pictures} pictures")
        for hit in islice(client.search_all(*asked), 5):
            file = Path(f"{hit.id}.webp")
            file.write_bytes(client.thumbnail(hit.id))
            print(f"{hit.score:.3f}  {hit.root}/{hit.path}  {file}")
except xuntu.errors.ProblemError as error:
    sys.exit(f"{error} ({error.code}, request {error.request_id})")
except xuntu.errors.ApiError as error:
    sys.exit(str(error))
