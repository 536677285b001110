"""The back end "faiss": the segments of one build are carried over to the next, which holds links to their files."""

from pathlib import Path

from indexer.library.catalog.records import IndexChanges
from indexer.library.damage import Damage
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.file_damage import find_file_damage
from indexer.library.index.port import IndexBackend, OpenIndex
from indexer.library.index.records import EncoderVectors, IndexEntry, IndexOptions
from indexer.library.index.self_recall import measure_self_recall


class FaissBackend(IndexBackend):
    """Makes and opens indexes of segments on FAISS."""

    takes_ids = True

    def make(
        self, previous: OpenIndex | None, changes: IndexChanges, vectors: EncoderVectors, options: IndexOptions
    ) -> IndexEntry:
        """Write the segments of `previous` with the changes, or new ones, and return what they are.

        Those of `previous` are taken over if their offsets are of the same queries. Raises IndexDamaged,
        InvalidVectors, OSError, or RuntimeError where FAISS cannot write.
        """
        from indexer.library.index.faiss.construction.incremental import next_index
        from indexer.library.index.faiss.construction.recipes import choose_recipe

        bank_id = vectors.bank_id(options)
        before = None
        if previous is not None and previous.entry.bank == bank_id and isinstance(previous.index, SegmentedIndex):
            before = previous.index
        tuned = choose_recipe(vectors.count, vectors.store.dim, options).name == "ivf"
        index = next_index(
            before,
            changes,
            vectors.locate,
            vectors.store,
            options,
            bank=vectors.read_bank() if tuned or options.hub_correction else None,
            on_progress=vectors.on_progress,
        )
        files = index.save(vectors.folder, prefix=f"{vectors.encoder}-")
        main = index.parts[0].segment if index.parts else None
        return vectors.describe(
            options,
            recipe=main.recipe if main else "flat",
            count=len(index),
            files=files,
            self_recall=measure_self_recall(index),
            tuning=dict(getattr(main, "tuned", {})),
        )

    def open(self, folder: Path, entry: IndexEntry) -> SegmentedIndex:
        """Open the segments. Raises IndexDamaged or BackendNotInstalled."""
        return SegmentedIndex.open(folder, entry.files)

    def damage(self, folder: Path, entry: IndexEntry) -> list[Damage]:
        """Return each file that is not what was written."""
        return find_file_damage(folder, entry.files)
