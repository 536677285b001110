"""A process that may open no more files says so, and calls nothing damaged."""

import json
import subprocess
import sys

PROGRAM = """
import json, os, sys
from pathlib import Path
from indexer.library.opened import open_build
from models.foundation.errors import ImageSearchError

import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
data, told = Path(sys.argv[1]), []
open_build(data)  # what is imported on the way is imported now
for left in range(24):
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    for descriptor in taken[:left]:
        os.close(descriptor)
    try:
        open_build(data)
        told.append(["whole", ""])
    except ImageSearchError as error:
        told.append([error.code, str(error)])
    finally:
        for descriptor in taken[left:]:
            os.close(descriptor)
print(json.dumps(told))
"""


def test_a_library_is_not_called_damaged_where_no_more_files_can_be_opened(library, processes):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(library)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    codes = [code for code, _ in told]
    assert codes[0] == "file_unavailable"
    assert codes[-1] == "whole"
    assert set(codes) <= {"file_unavailable", "index_unavailable", "whole"}
    assert all("open files" in said or "unable to open" in said for code, said in told if code != "whole")
