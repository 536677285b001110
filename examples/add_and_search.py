"""Make a library of a folder of pictures, or go on with it, and search it: add_and_search.py album PICTURES 一只猫."""

import sys

import xuntu


def show(step: xuntu.BuildStep) -> None:
    """Print how far it is."""
    print(f"{step.stage}: {step.done} of {step.total or '?'}", file=sys.stderr)


# Where several GPUs encode, each has a process that imports this file: nothing may begin anew in it.
if __name__ == "__main__":
    folder, pictures, *asked = sys.argv[1:]
    with xuntu.open(folder, create=True) as library:
        report = library.add(pictures, on_progress=show)
        print(f"{report.encoded} encoded, {report.reused} already there, {report.failed} failed")
        for warning in report.warnings:
            print(warning.text("en"))
        for hit in library.search(*asked, k=5).hits:
            print(f"{hit.score:.3f}  {hit.place}")
