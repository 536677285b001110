"""Pictures of a class find each other; with a text tower, names find pictures, and pictures their names."""

import numpy as np

from api.evaluation.data.datasets import ClassSet
from api.evaluation.encoding import Encoding, encode_pictures, encode_texts
from api.evaluation.labelled import Labelled, label_names, label_pictures
from api.evaluation.measures.ranking import OnStep, rank_classes
from api.evaluation.measures.samples import KS, Precisions
from api.evaluation.results import NONE, make_result
from api.evaluation.tasks.names import NameSearch, find_by_name, name_pictures, tell_presence
from api.evaluation.tasks.outcome import Outcome, as_searched, list_file_names, load_text_encoder, name_failures
from models.relevance.curves import Kind
from models.relevance.reference_pictures import Reference


def evaluate_classes(
    data: ClassSet, encoding: Encoding, on_step: OnStep, *, label: bool = False, reference: Reference | None = None
) -> Outcome:
    """Rank the other pictures for each picture, by class; and with a text tower, by the names of classes.

    With `reference`, presence is told as well by how far the best score is above the level of its query. With `label`,
    the first hits are labelled right or wrong, for relevance to be fitted on.

    Raises what loading an encoder raises.
    """
    tower = load_text_encoder(encoding) if encoding.spec.languages else None
    pictures = encode_pictures(data.pictures, encoding, on_step)
    classes = np.array(data.members, np.int64)[pictures.places]
    found, asked = rank_classes(pictures.vectors, classes, KS, on_step=on_step)
    facts = [list_file_names(data.pictures, pictures), classes.tolist()]
    results = []
    if len(asked):
        sample = Precisions(np.arange(len(asked)), found.average, found.at_k)
        results.append(make_result("image->image", NONE, sample, gallery=len(classes) - 1, facts=facts))
    labelled: dict[Kind, Labelled] = {}
    if label and len(asked):
        named = np.array(sorted({number for name in data.names for number in name.classes}), np.int64)
        labelled["picture"] = label_pictures(
            pictures.vectors, classes, on_step, asked_for=named if len(named) else None, reference=reference
        )
    if tower is not None:
        present = set(classes.tolist())
        names = [name for name in data.names if not present.isdisjoint(name.classes)]
        texts = encode_texts([name.text for name in names], tower, encoding, on_step)
        searched, gallery = as_searched(texts, pictures.vectors, tower, encoding)
        search = NameSearch(names=names, texts=searched, pictures=gallery, classes=classes, facts=facts)
        results += find_by_name(search, on_step)
        results += name_pictures(search, texts.vectors, pictures.vectors, on_step)
        results += tell_presence(search, on_step, reference=reference)
        if label:
            known = [names[place] for place in texts.places]
            labelled |= label_names(known, searched.vectors, gallery, classes, on_step, reference=reference)
    return Outcome(
        results=results,
        left_out={"alone": len(classes) - len(asked), "unreadable": len(pictures.failures)},
        unreadable=name_failures(data.pictures, pictures),
        labelled=labelled,
    )
