"""Run the benchmarks: tests/benchmarks/run.py [--pictures N] [--keep DIR] [--only NAME] [--record].

Prints a Markdown table for each measure and writes the same to out/bench.json, with --record to docs/figures/ as well;
progress goes to standard error. Nothing here fails because something is slow.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import duplicates
import encoder_photographs
import encoders
import gpu
import gpu_index
import indexing
import kills
import labels_and_captions
import long_pictures
import million
import odd_files
import one_box
import page
import quality
import ray_engine
import regions
import second_run
import service
import startup
import text_in_pictures
import text_query
import text_tower
import unchanged
import videos
import words
from processes import Bench, say
from records import NoCommit, find_commit, write_record
from tables import describe_machine, machine_line

MEASURES = {
    "indexing": indexing.measure,
    "second-run": second_run.measure,
    "unchanged": unchanged.measure,
    "kills": kills.measure,
    "ray": ray_engine.measure,
    "duplicates": duplicates.measure,
    "text-query": text_query.measure,
    "start-up": startup.measure,
    "service": service.measure,
    "export": encoders.measure,
    "image-tower": encoder_photographs.measure,
    "text-tower": text_tower.measure,
    "text-only-memory": text_tower.measure_memory,
    "gpu": gpu.measure,
    "gpu-index": gpu_index.measure,
    "million": million.measure,
    "odd-files": odd_files.measure,
    "long-pictures": long_pictures.measure,
    "regions": regions.measure,
    "words": words.measure,
    "one-box": one_box.measure,
    "text-in-pictures": text_in_pictures.measure,
    "videos": videos.measure,
    "labels-and-captions": labels_and_captions.measure,
    "page": page.measure,
    "quality": quality.measure,
}
CHECKOUT = Path(__file__).resolve().parents[2]
RESULT = CHECKOUT / "out" / "bench.json"
RECORDS = CHECKOUT / "docs" / "figures"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description="Measure how fast xuntu is.")
    parser.add_argument("--pictures", type=int, default=5_000, metavar="N", help="photographs in the library [5000]")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the photographs and libraries here, for next time"
    )
    parser.add_argument("--only", choices=MEASURES, action="append", metavar="NAME", help=f"{', '.join(MEASURES)}")
    parser.add_argument("--record", action="store_true", help="keep the figures, with the commit, in docs/figures/")
    parser.add_argument(
        "--page-before", type=Path, metavar="TREE", help="a checkout of 9e86415, whose page is measured beside this one"
    )
    arguments = parser.parse_args()
    if arguments.pictures < 1:
        parser.error("--pictures: at least 1")
    if arguments.page_before and not (arguments.page_before / "ui" / "parts").is_dir():
        parser.error(f"--page-before: {arguments.page_before} is no checkout of 9e86415")
    try:
        commit = find_commit(CHECKOUT) if arguments.record else None
    except NoCommit as error:
        parser.error(f"--record: {error}")
    with tempfile.TemporaryDirectory(prefix="xuntu-bench-") as scratch:
        folder = (arguments.keep or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        before = arguments.page_before.absolute() if arguments.page_before else None
        _run(Bench(folder, arguments.pictures, before), arguments.only or list(MEASURES), commit)


def _run(bench: Bench, names: list[str], commit: str | None) -> None:
    machine = describe_machine()
    mean_bytes = bench.prepare()
    say(f"{bench.pictures} photographs of {mean_bytes / 1000:.0f} kB on average in {bench.photographs}")
    measures = {}
    for name in names:
        tables = MEASURES[name](bench)
        for table in tables:
            print(table.to_markdown(), flush=True)
        measures[name] = [table.to_dict() for table in tables]
    print(machine_line(machine))
    RESULT.parent.mkdir(exist_ok=True)
    result = {
        "machine": machine,
        "photographs": bench.pictures,
        "photographs_mean_bytes": mean_bytes,
        "measures": measures,
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    say(f"also in {RESULT}")
    if commit is not None:
        say(f"kept in {write_record(RECORDS, commit, result)}")


if __name__ == "__main__":
    main()
