"""`xuntu evaluate` on every form of data, with real files, pictures and encoders."""

import base64
import csv
import json
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.evaluation.errors import EvaluationError, InvalidDataSet, NotComparable, OptionUnsuitable, PicturesMissing
from api.evaluation.library import Asking
from api.evaluation.measures.samples import WholeRankings
from api.evaluation.results import EvaluationReport, Result, compare_results, read_results
from api.evaluation.runs import Evaluated, Request, evaluate
from api.evaluation.tables import result_tables
from api.search.errors import InvalidQuery
from indexer.config import IndexerSettings
from indexer.library.errors import InvalidFilter
from indexer.library.index.hub_offsets import WeightedQueries, with_offsets
from indexer.pipeline.query_bank import encode_query_bank
from models.encoders.hash import HashEncoder
from models.language.text import normalize_text

ENGLISH = ("a red dress", "two dogs run", "a man on a horse", "snow")
CHINESE = ("红色的裙子", "两只狗在跑", "骑马的男人", "雪")


def run(*paths: Path, settings: IndexerSettings | None = None, **options: object) -> Evaluated:
    if not {"asking", "encoders"} & options.keys():
        options["encoders"] = ["hash"]
    request = Request(paths=paths, **options)
    return evaluate(request, settings or IndexerSettings(workers=1, device="cpu"), lambda *_: None)


def result(report: EvaluationReport, task: str, language: str) -> Result:
    (found,) = [one for one in report.results if (one.task, one.language) == (task, language)]
    return found


def ranks(report: EvaluationReport, task: str, language: str) -> list[float]:
    sample = result(report, task, language).sample
    return (sample.ranked if isinstance(sample, WholeRankings) else sample).ranks.tolist()


def write_table(path: Path, *rows: Sequence[object]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder of 24 pictures of their own. Not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(24):
        blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(blocks).resize((48, 36), Image.Resampling.NEAREST).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def captions(tmp_path_factory) -> tuple[Path, Path]:
    """English and Chinese captions of the first 20 pictures, two of each. Not to be changed."""
    folder = tmp_path_factory.mktemp("captions")
    files = []
    for tag, texts in (("enc", ENGLISH), ("zhc", CHINESE)):
        lines = [
            f"{number:03}.png#{tag}#{k} {texts[(number + k) % 4]} {number} {k}"
            for number in range(20)
            for k in range(2)
        ]
        files.append(folder / f"{tag}.txt")
        files[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return files[0], files[1]


def vectors_of(pictures: Path, names: Sequence[str]) -> np.ndarray:
    encoder = HashEncoder()
    images = [encoder.preprocess(Image.open(pictures / name).convert("RGB")) for name in names]
    return encoder.encode_image(np.stack(images))


def rank_by_sorting(queries: np.ndarray, gallery: np.ndarray, right: Sequence[Sequence[int]]) -> list[int]:
    orders = [order.tolist() for order in np.argsort(-(queries @ gallery.T), axis=1)]
    return [1 + min(order.index(one) for one in ones) for order, ones in zip(orders, right, strict=True)]


# Captions


@pytest.mark.parametrize("corrected", [True, False])
def test_captions_and_pictures_find_each_other_as_a_sort_of_all_scores_says(pictures, captions, corrected, heavy):
    asking = Asking(hub_correction=corrected)
    report = run(*captions, pictures=[pictures], encoders=["hash"], asking=asking).report
    assert report.settings["hub_correction"] == corrected
    images = vectors_of(pictures, [f"{number:03}.png" for number in range(24)])  # four of them without captions
    for language, path in zip(("en", "zh"), captions, strict=True):
        texts = [line.split(" ", 1)[1] for line in path.read_text(encoding="utf-8").splitlines()]
        vectors = HashEncoder().encode_text(texts)
        owners = [place // 2 for place in range(40)]
        offsets = encode_query_bank(HashEncoder()).measure(images)
        weighted = WeightedQueries.of(vectors, 1).as_rows(vectors.shape[1] + 1)
        searched = (weighted, with_offsets(images, offsets)) if corrected else (vectors, images)
        assert ranks(report, "text->image", language) == rank_by_sorting(*searched, [[one] for one in owners])
        both = [[2 * place, 2 * place + 1] for place in range(20)]
        assert ranks(report, "image->text", language) == rank_by_sorting(images[:20], vectors, both)
        found = result(report, "text->image", language)
        assert (found.gallery, found.distractors) == (24, 4)
        assert result(report, "image->text", language).gallery == 40
        assert result(report, "text->image", language).sample.groups.tolist() == owners
    together = ranks(report, "text->image", "en") + ranks(report, "text->image", "zh")
    assert ranks(report, "text->image", "all") == together
    assert (report.encoder, report.fingerprint) == ("hash", HashEncoder().spec.fingerprint)


def test_a_split_names_pictures_with_or_without_suffix(pictures, captions, tmp_path):
    (tmp_path / "split.txt").write_text("000.png\n001\n\n002\n", encoding="utf-8")
    report = run(captions[0], pictures=[pictures], only=tmp_path / "split.txt").report
    assert (result(report, "text->image", "en").queries, result(report, "text->image", "en").gallery) == (6, 3)


def test_all_pictures_of_a_split_are_ranked_and_those_it_names_must_be_there(pictures, captions, tmp_path):
    """Pictures from 020 on have no captions."""
    split = tmp_path / "split.txt"
    split.write_text("022\n001.png\n020.png\n000\n", encoding="utf-8")
    whole, captioned = (
        result(run(captions[0], pictures=[pictures], only=split, captioned_only=one).report, "text->image", "en")
        for one in (False, True)
    )
    assert [(one.queries, one.gallery, one.distractors) for one in (whole, captioned)] == [(4, 4, 2), (4, 2, 0)]
    split.write_text("000\n099.png\n", encoding="utf-8")
    with pytest.raises(PicturesMissing, match=r"099\.png"):
        run(captions[0], pictures=[pictures], only=split)
    assert run(captions[0], pictures=[pictures], only=split, captioned_only=True).report.missing == []


def test_pictures_without_captions_are_in_the_way(angles, tmp_path):
    """Pictures at 0, 10, 40 and 90 degrees, of which 10 and 90 have no caption; captions at 8 and 44 degrees."""
    for degrees in (0, 10, 40, 90):
        Image.new("RGB", (16, 16), (degrees, 0, 0)).save(tmp_path / f"{degrees}.png")
    path = tmp_path / "captions.txt"
    path.write_text("0.png#enc#0 at 8\n40.png#enc#0 at 44\n0.png#zhc#0 在 30\n", encoding="utf-8")
    options = {"pictures": [tmp_path], "encoders": [angles]}
    done = run(path, **options).report
    # 8 is nearer to 10 than to 0; 44 is at 40. 30 is nearest to 40, then to 10.
    assert (ranks(done, "text->image", "en"), ranks(done, "text->image", "zh")) == ([2, 1], [3])
    assert [result(done, "text->image", one).distractors for one in ("en", "zh", "all")] == [2, 3, 2]
    assert (ranks(done, "image->text", "en"), result(done, "image->text", "en").gallery) == ([1, 1], 2)
    captioned = run(path, **options, captioned_only=True).report
    assert (ranks(captioned, "text->image", "en"), ranks(captioned, "text->image", "zh")) == ([1, 1], [2])
    assert (captioned.settings["captioned_only"], result(captioned, "text->image", "all").gallery) == (True, 2)


def test_captions_without_a_language_are_in_that_of_their_file(pictures, tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("000.png#0\t耐克 Nike 跑鞋\n001.png#0\tNike\n002.png#0\t两只狗\n", encoding="utf-8-sig")
    report = run(path, pictures=[pictures]).report
    assert [(one.language, one.queries) for one in report.results] == [("zh", 3), ("zh", 3)]


@pytest.mark.parametrize("written", ["utf-8-sig", "gb18030", "utf-16"])
def test_captions_may_be_in_any_encoding_that_is_common_in_china(pictures, captions, tmp_path, written):
    path = tmp_path / "captions.txt"
    path.write_bytes(captions[1].read_text(encoding="utf-8").replace("\n", "\r\n").encode(written))
    found, expected = (run(one, pictures=[pictures]).report.to_dict() for one in (path, captions[1]))
    assert found["results"] == expected["results"]


def test_names_are_found_however_their_path_is_written(pictures, tmp_path):
    folder = tmp_path / "all"
    shutil.copytree(pictures, folder / "photos")
    path = tmp_path / "captions.txt"
    path.write_text("photos\\000.png#zhc#0 雪\n./photos/001.png#zhc#0 狗\n002.png#zhc#0 马\n", encoding="utf-8")
    found = result(run(path, pictures=[folder]).report, "text->image", "zh")
    assert (found.queries, found.gallery, found.distractors) == (3, 24, 21)
    with pytest.raises(InvalidDataSet, match=r"002\.png is in several of the places"):
        run(path, pictures=[folder, folder / "photos", pictures])


@pytest.mark.parametrize("as_written", [True, False])
def test_bytes_that_are_no_text_stop_nothing(pictures, tmp_path, as_written):
    path = tmp_path / "captions.txt"
    path.write_bytes("000.png#zhc#0 草地上的狗\n001.png#zhc#0 雪".encode() + b"\xe7\x8b\n")
    report = run(path, pictures=[pictures], as_written=as_written).report
    assert result(report, "text->image", "zh").queries == 2


def test_a_shard_is_as_good_as_a_folder(pictures, captions, tmp_path):
    with tarfile.open(tmp_path / "pictures.tar", "w") as shard:
        shard.add(pictures, "flickr8k")
    folder, packed = (run(captions[0], pictures=[one]).report for one in (pictures, tmp_path / "pictures.tar"))
    assert folder.to_dict()["results"] == packed.to_dict()["results"]


def test_missing_pictures_are_named_and_left_out_only_if_so_asked(pictures, captions, tmp_path):
    some = tmp_path / "some"
    shutil.copytree(pictures, some)
    for number in (3, 7):
        (some / f"{number:03}.png").unlink()
    with pytest.raises(PicturesMissing, match=r"2, such as 003\.png, 007\.png") as caught:
        run(captions[0], pictures=[some])
    assert "003.png" in caught.value.zh
    report = run(captions[0], pictures=[some], allow_missing=True).report
    assert (report.left_out["missing"], list(report.missing)) == (2, ["003.png", "007.png"])
    assert result(report, "text->image", "en").queries == 36


def test_a_picture_that_cannot_be_read_is_left_out_and_named(pictures, captions, tmp_path):
    some = tmp_path / "some"
    shutil.copytree(pictures, some)
    (some / "005.png").write_bytes(b"no picture")
    done = run(captions[0], pictures=[some])
    assert done.report.left_out["unreadable"] == 1
    assert ["005.png" in warning.en for warning in done.warnings] == [True]
    assert result(done.report, "text->image", "en").queries == 38


def test_texts_are_read_as_a_search_reads_them_unless_it_is_as_they_are_written(pictures, tmp_path):
    texts = [f"Ｔ恤 和 裙子，{number}" for number in range(20)]
    path = tmp_path / "captions.txt"
    path.write_text("\n".join(f"{number:03}.png#zhc#0 {text}" for number, text in enumerate(texts)), encoding="utf-8")
    images = vectors_of(pictures, [f"{number:03}.png" for number in range(24)])
    own = [[place] for place in range(20)]
    for as_written, read in ((False, [normalize_text(text) for text in texts]), (True, texts)):
        asking = Asking(hub_correction=as_written)  # texts as they are written are never corrected
        report = run(path, pictures=[pictures], encoders=["hash"], as_written=as_written, asking=asking).report
        assert report.settings["hub_correction"] is False
        assert ranks(report, "text->image", "zh") == rank_by_sorting(HashEncoder().encode_text(read), images, own)
        assert report.settings["as_written"] is as_written


def test_a_text_of_which_no_word_is_known_is_not_found(photographs, tmp_path, heavy):
    path = tmp_path / "captions.txt"
    path.write_text("cat.png#enc#0 a cat\nrocket.jpg#enc#0 qwertyuiop\n", encoding="utf-8")
    report = run(path, pictures=[photographs], encoders=["starter"]).report
    found = result(report, "text->image", "en")
    assert (found.sample.ranks.tolist(), found.unknown) == ([1, np.inf], 1)
    back = result(report, "image->text", "en")
    assert (back.sample.ranks.tolist(), back.unknown, report.unknown) == ([1, np.inf], 1, 1)


# The form of Chinese-CLIP


def write_chinese_clip(folder: Path, pictures: Path, rows: Sequence[tuple[str, Sequence[int]]]) -> Path:
    """Write texts and all pictures; the ids of pictures are 1000 and up, and base64 comes in its three common kinds."""
    kinds = (
        base64.b64encode,
        base64.urlsafe_b64encode,
        lambda data: base64.b64encode(data).rstrip(b"="),
    )
    lines = [
        b"%d\t%s" % (1000 + place, kinds[place % 3](path.read_bytes()))
        for place, path in enumerate(sorted(pictures.iterdir()))
    ]
    (folder / "valid_imgs.tsv").write_bytes(b"\n".join(lines) + b"\n")
    texts = folder / "valid_texts.jsonl"
    objects = [
        {"text_id": number, "text": text, "image_ids": [1000 + one for one in ids]}
        for number, (text, ids) in enumerate(rows)
    ]
    texts.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in objects) + "\n", encoding="utf-8")
    return texts


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of the reference code
def test_the_form_of_chinese_clip_is_counted_as_its_authors_do(pictures, tmp_path):
    evaluation = pytest.importorskip("cn_clip.eval.evaluation")
    evaluation_tr = pytest.importorskip("cn_clip.eval.evaluation_tr")
    rows = [(f"商品 {number}", [number % 22, (7 * number + 1) % 22]) for number in range(40)]
    texts = write_chinese_clip(tmp_path, pictures, rows)
    report = run(texts, encoders=["hash"], asking=Asking(hub_correction=False)).report

    images = vectors_of(pictures, [path.name for path in sorted(pictures.iterdir())])
    queries = HashEncoder().encode_text([text for text, _ in rows])
    scores = queries @ images.T
    predicted = [
        {"text_id": number, "image_ids": (1000 + np.argsort(-line)[:10]).tolist()} for number, line in enumerate(scores)
    ]
    write_lines(tmp_path / "predicted.jsonl", predicted)
    expected = evaluation.compute_score(texts, tmp_path / "predicted.jsonl")
    assert figures(report, "text->image") == pytest.approx(expected)

    answers: dict[int, list[int]] = {}
    for number, (_, ids) in enumerate(rows):
        for one in dict.fromkeys(ids):
            answers.setdefault(1000 + one, []).append(number)
    write_lines(tmp_path / "tr.jsonl", [{"image_id": one, "text_ids": ids} for one, ids in answers.items()])
    back = [{"image_id": 1000 + n, "text_ids": np.argsort(-scores[:, n])[:10].tolist()} for n in range(22)]
    write_lines(tmp_path / "tr_predicted.jsonl", back)
    expected = evaluation_tr.compute_score(tmp_path / "tr.jsonl", tmp_path / "tr_predicted.jsonl")
    assert figures(report, "image->text") == pytest.approx(expected)
    assert result(report, "text->image", "zh").gallery == 24  # two of them without text
    named = run(texts, encoders=["hash"], captioned_only=True).report
    assert result(named, "text->image", "zh").gallery == 22


def write_lines(path: Path, objects: Sequence[object]) -> None:
    path.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")


def figures(report: EvaluationReport, task: str) -> list[float]:
    metrics = result(report, task, "zh").metrics
    return [100 * metrics[name].value for name in ("mean_recall", "recall@1", "recall@5", "recall@10")]


def test_the_pictures_may_lie_in_a_folder_named_by_their_ids(pictures, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for place, path in enumerate(sorted(pictures.iterdir())):
        shutil.copyfile(path, folder / f"{1000 + place}.png")
    texts = write_chinese_clip(tmp_path, pictures, [("裙子", [3]), ("两只狗", [4, 5])])
    for captioned_only, gallery in ((False, 24), (True, 3)):
        found = result(run(texts, pictures=[folder], captioned_only=captioned_only).report, "text->image", "zh")
        assert (found.queries, found.gallery) == (2, gallery)


def test_damaged_base64_is_a_picture_that_cannot_be_read(pictures, tmp_path):
    texts = write_chinese_clip(tmp_path, pictures, [("裙子", [0]), ("两只狗", [1])])
    table = tmp_path / "valid_imgs.tsv"
    lines = table.read_bytes().splitlines()
    table.write_bytes(b"\n".join([lines[0], lines[1][:60] + b"!*!" + lines[1][60:], *lines[2:]]))
    done = run(texts)
    assert done.report.left_out["unreadable"] == 1
    assert [("1001" in one.en, "base64" in one.en, "base64" in one.zh) for one in done.warnings] == [(True, True, True)]


@pytest.mark.parametrize("written", ["utf-8-sig", "gb18030", "utf-16"])
def test_texts_and_tables_that_went_through_other_programs(pictures, tmp_path, written):
    texts = write_chinese_clip(tmp_path, pictures, [("裙子", [0]), ("两只狗", [1, 23])])
    expected = run(texts).report.to_dict()["results"]
    texts.write_bytes(texts.read_text(encoding="utf-8").replace("\n", "\r\n").encode(written))
    table = tmp_path / "valid_imgs.tsv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert run(texts).report.to_dict()["results"] == expected


def test_texts_without_an_answer_are_counted(pictures, tmp_path):
    texts = write_chinese_clip(tmp_path, pictures, [("裙子", [0]), ("两只狗", [])])
    report = run(texts).report
    assert (report.left_out["unanswered"], result(report, "text->image", "zh").queries) == (1, 1)


# Classes


@pytest.fixture(scope="module")
def classes(tmp_path_factory) -> Path:
    """Six folders of five pictures, those of each nearly the same. Not to be changed."""
    folder = tmp_path_factory.mktemp("classes")
    for number, name in enumerate(("cat", "dog", "red_dress", "火车", "船", "horse")):
        (folder / name).mkdir()
        blocks = np.random.default_rng(number).integers(10, 246, (6, 8, 3)).astype(np.uint8)
        for place in range(5):
            image = Image.fromarray(blocks + np.uint8(place)).resize((48, 36), Image.Resampling.NEAREST)
            image.save(folder / name / f"{place}.png")
    return folder


def test_pictures_of_a_class_find_each_other(classes):
    report = run(classes).report
    found = result(report, "image->image", "–")
    assert (found.queries, found.gallery) == (30, 29)
    assert {name: one.value for name, one in found.metrics.items()} == {
        "map": 1,
        "precision@1": 1,
        "precision@5": pytest.approx(0.8),
        "precision@10": pytest.approx(0.4),
    }
    named = {one.language: one.queries for one in report.results if one.task == "name->image"}
    assert named == {"en": 4, "zh": 2, "all": 6}
    presence = result(report, "presence", "all")
    assert (presence.queries, int(presence.sample.present.sum())) == (12, 6)  # each once there, once not


def test_a_table_says_what_classes_are_called(classes, tmp_path):
    names = write_table(
        tmp_path / "names.csv",
        ("类别", "名称", "语言"),
        ("cat", "猫", "zh-CN"),
        ("cat", "cat", "en"),
        ("dog", "狗", ""),
        ("horse", "animal", "en"),
        ("dog", "animal", "en"),
        ("elephant", "大象", "zh"),
    )
    report = run(classes, names=names).report
    texts = ("猫", "cat", "狗", "animal")
    queries = HashEncoder().encode_text(texts)
    files = sorted(classes.rglob("*.png"))
    images = vectors_of(classes, [str(path.relative_to(classes)) for path in files])
    right = [
        [place for place, path in enumerate(files) if path.parent.name in folders]
        for folders in ({"cat"}, {"cat"}, {"dog"}, {"dog", "horse"})
    ]
    expected = dict(zip(texts, rank_by_sorting(queries, images, right), strict=True))
    assert ranks(report, "name->image", "zh") == [expected["猫"], expected["狗"]]
    assert ranks(report, "name->image", "en") == [expected["cat"], expected["animal"]]


def test_folders_of_one_name_are_one_answer_and_spaces_are_kept(classes, tmp_path):
    folder = tmp_path / "classes"
    shutil.copytree(classes, folder)
    (folder / "dog").rename(folder / "red dress")
    (folder / "cat").rename(folder / "black  cat")
    named = [one for one in run(folder).report.results if (one.task, one.language) == ("name->image", "en")]
    assert [one.queries for one in named] == [3]  # red_dress and "red dress" are asked for once
    names = write_table(tmp_path / "names.csv", ("class", "name"), ("black  cat", "黑猫"), ("horse", "马"))
    assert result(run(folder, names=names).report, "name->image", "zh").queries == 2


def test_scores_tell_what_is_there_where_names_and_pictures_agree(photographs, tmp_path, heavy):
    folder = tmp_path / "classes"
    for name, file in {
        "a cat": "cat.png",
        "火箭发射": "rocket.jpg",
        "花": "flower.jpg",
        "摩托车": "motorcycle.png",
    }.items():
        (folder / name).mkdir(parents=True)
        shutil.copyfile(photographs / file, folder / name / file)
    report = run(folder, encoders=["starter"]).report
    # One picture a class finds no other.
    assert {one.task for one in report.results} == {"name->image", "zero-shot", "presence", "presence less level"}
    assert report.left_out["alone"] == 4
    assert result(report, "presence", "all").metrics["auroc"].value > 0.8
    plain, above = (result(report, task, "all").sample.scores for task in ("presence", "presence less level"))
    levels = (plain - above).reshape(2, -1)  # of each name, in both galleries
    assert levels[0] == pytest.approx(levels[1], abs=1e-6)
    assert len(set(levels[0].round(4))) > 1


# Questions to a library


@pytest.fixture
def settings(library) -> IndexerSettings:
    return IndexerSettings(data=library, workers=0, device="cpu")


@pytest.fixture
def ask(settings, tmp_path):
    def ask(
        *rows: Sequence[object], head: Sequence[str] = ("query", "picture", "language"), **asking: object
    ) -> Evaluated:
        table = write_table(tmp_path / "questions.csv", head, *rows)
        return run(table, asking=Asking(**asking), settings=settings)

    return ask


def test_questions_are_asked_through_the_engine(ask, photographs, library):
    done = ask(
        ("一只猫", "cat.png", "zh"),
        ("一只猫", "people/camera.png", "zh"),
        ("a cup of coffee", photographs / "coffee.png", "en"),
        ("火箭发射", "./rocket.jpg", ""),
        ("qwertyuiop", "china.jpg", "en"),
    )
    report = done.report
    assert ranks(report, "text->image", "zh") == [1, 1]
    assert ranks(report, "text->image", "en")[1] == np.inf
    assert result(report, "text->image", "en").unknown == 1
    assert result(report, "text->image", "all").queries == 4
    assert (report.form, report.encoder, report.settings["match"]) == ("questions", "starter", "vector")
    assert (library / "builds" / report.build).is_dir()


def test_pictures_may_be_named_by_id_and_columns_in_chinese(ask, library):
    from indexer.library.opened import open_build

    rows = open_build(library).catalog.get_images(range(1, 20))
    (cat,) = [row.id for row in rows.values() if row.path == "cat.png"]
    report = ask(("一只猫", cat), head=("查询", "图片")).report
    assert ranks(report, "text->image", "zh") == [1]


def test_a_path_of_windows_is_found_and_what_no_path_can_be_is_missing(ask, settings, tmp_path):
    odd = ("9" * 19, "9" * 5000, "no\\such.png", "nul\0.png")
    report = ask(("一个摄影师", "people\\camera.png"), *(("一只猫", name) for name in odd)).report
    assert (report.left_out["missing"], result(report, "text->image", "zh").queries) == (4, 1)
    rows = [{"query": "猫", "picture": "cat.png"}, {"query": "狗", "picture": "\ud83d.png"}]
    write_lines(tmp_path / "q.jsonl", rows)
    half = run(tmp_path / "q.jsonl", asking=Asking(), settings=settings).report
    assert half.missing == ["\ud83d.png"]


def test_questions_about_one_picture_are_no_more_evidence_than_one(ask, photographs):
    report = ask(
        ("一只猫", "cat.png"), ("猫", "./cat.png"), ("小猫", photographs / "cat.png"), ("火箭", "rocket.jpg")
    ).report
    assert result(report, "text->image", "zh").sample.groups.tolist() == [0, 0, 0, 1]


def test_pictures_that_the_library_has_not_are_counted_and_named(ask):
    report = ask(("一只猫", "cat.png"), ("一只猫", "gone.png"), ("a dog", "dog.png")).report
    assert (report.left_out, report.missing) == ({"missing": 2, "unanswered": 1}, ["dog.png", "gone.png"])
    assert [(one.task, one.language, one.queries) for one in report.results] == [("text->image", "zh", 1)]


def test_a_question_without_a_picture_asks_for_what_is_not_there(ask):
    report = ask(("一只猫", "cat.png"), ("火箭发射", "rocket.jpg"), ("大象", ""), ("斑马", "")).report
    presence = result(report, "presence", "zh")
    assert presence.sample.present.tolist() == [True, True, False, False]
    assert result(report, "text->image", "zh").queries == 2


def test_a_question_of_which_no_word_is_known_is_a_miss_wherever_it_is_asked(ask):
    rows = [("qwertyuiop", "rocket.jpg"), ("asdfghjkl", ""), ("qwertyuiop, no cats", ""), ("a dog", "")]
    done = ask(("a cat", "cat.png"), *rows)
    found, presence = (result(done.report, task, "en") for task in ("text->image", "presence"))
    assert (found.sample.ranks.tolist(), found.unknown) == ([1, np.inf], 1)
    assert (presence.sample.scores[1:4].tolist(), presence.unknown) == ([-2, -2, -2], 3)
    assert done.report.unknown == 3


def test_questions_take_conditions_and_words(ask):
    assert ranks(ask(("一只猫", "cat.png"), where="format=jpeg").report, "text->image", "zh") == [np.inf]
    words = ask(("rocket", "rocket.jpg"), ("cat", "china.jpg"), match="text").report
    assert ranks(words, "text->image", "en") == [1, np.inf]
    assert words.settings["match"] == "text"


def test_how_to_ask_is_checked_before_a_question_is(ask):
    with pytest.raises(InvalidQuery, match="match cannot be 'sound'"):
        ask(("一只猫", "cat.png"), match="sound")
    with pytest.raises(InvalidFilter, match="unknown field shape"):
        ask(("一只猫", "cat.png"), where="shape=round")


def test_negation_is_read_unless_words_are_to_be_taken_as_they_are(ask):
    question = ("火箭，不要猫", "rocket.jpg")
    read, literal = (ask(question, literal=literal).report for literal in (False, True))
    assert (read.settings["literal"], literal.settings["literal"]) == (False, True)
    assert ranks(read, "text->image", "zh") == [1]


def test_an_exact_copy_is_as_right_and_what_scores_the_same_stands_before_it(photographs, tmp_path, heavy):
    from indexer.pipeline.commands import BuildOptions, build

    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copyfile(photographs / "cat.png", folder / "a.png")
    shutil.copyfile(photographs / "cat.png", folder / "b.png")
    with Image.open(photographs / "cat.png") as cat:
        cat.save(folder / "0.png", compress_level=1)  # other bytes, the same pixels
    settings = IndexerSettings(data=tmp_path / "data", workers=0, device="cpu")
    build(settings, [folder], BuildOptions(encoders=["starter"]))
    table = write_table(tmp_path / "q.csv", ("query", "picture"), ("一只猫", "b.png"), ("猫", "0.png"))
    report = run(table, asking=Asking(), settings=settings).report
    assert ranks(report, "text->image", "zh") == [2, 3]


# What cannot be evaluated


def lines(*texts: str) -> str:
    return "\n".join(texts) + "\n"


@pytest.mark.parametrize(
    ("name", "content", "options", "error", "sentence"),
    [
        ("nothing.txt", None, {}, InvalidDataSet, "no such file"),
        ("notes.txt", "some notes\n", {}, InvalidDataSet, "none of"),
        ("empty.txt", "", {}, InvalidDataSet, "none of"),
        ("c.txt", lines("000.png#enc#0 a dog", "000.png a dog"), {"pictures": True}, InvalidDataSet, "line 2"),
        ("c.txt", lines("000.png#enc#0 a dog"), {}, OptionUnsuitable, "--pictures"),
        (
            "c.txt",
            lines("000.png#enc#0 a dog"),
            {"pictures": True, "names": Path("n.csv")},
            OptionUnsuitable,
            "--names",
        ),
        ("c.txt", b"000.png#zhc#0 \xff\xff\n", {"pictures": True}, InvalidDataSet, "neither UTF-8 nor GBK"),
        ("valid_texts.jsonl", '{"text": "狗", "image_ids": [1]}\n', {}, InvalidDataSet, "--pictures FILE"),
        ("t.jsonl", '{"text": "狗", "image_ids": [1]}\n{"text": "猫"}\n', {"pictures": True}, InvalidDataSet, "line 2"),
        (
            "t.jsonl",
            lines('{"text": "狗", "image_ids": [1]}', '{"text": "狗", "image_ids": "12"}'),
            {"pictures": True},
            InvalidDataSet,
            'line 2: it is not JSON with "text" and a list',
        ),
        ("t.jsonl", '{"text": "狗", "image_ids": []}\n', {"pictures": True}, InvalidDataSet, "not published"),
        ("t.jsonl", '{"text": "狗", "image_ids": [99999]}\n', {"pictures": True}, PicturesMissing, "99999"),
        ("q.csv", "query,picture\n", {}, InvalidDataSet, "no rows"),
        ("q.csv", "question,file\n,a.png\n", {}, InvalidDataSet, "line 2: its query is empty"),
        ("q.csv", "query,picture\n狗,\n猫,\n", {}, InvalidDataSet, "names a picture"),
        (
            "q.jsonl",
            '{"query": "狗", "picture": ["a.png", "b.png"]}\n',
            {},
            InvalidDataSet,
            "line 1: a value in it is a",
        ),
        ("a" * 300 + ".csv", None, {}, InvalidDataSet, "no such file"),
        ("q.csv", "query,answer\na,b\n", {}, InvalidDataSet, "no column 'picture'; there are: query, answer"),
        ("q.csv", "query,picture\na dog,nowhere.png\n", {}, InvalidDataSet, "none of its pictures"),
        ("c.txt", "a.jpg#enc#0 a cat\n", {"encoders": ["hash", "starter"]}, OptionUnsuitable, "one encoder at a time"),
        ("q.csv", f"query,picture\n{'a' * 600},cat.png\n", {}, InvalidDataSet, "line 2: The text is too long"),
        ("valid_imgs.tsv", "1\t" + "A" * 400 + "\n", {}, InvalidDataSet, "_texts.jsonl"),
    ],
)
def test_what_cannot_be_evaluated_gets_a_sentence(library, pictures, tmp_path, name, content, options, error, sentence):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = dict(options)
    options["pictures"] = [pictures] if options.pop("pictures", False) else ()
    request = Request(paths=[path], **options)
    with pytest.raises(error) as caught:
        evaluate(request, IndexerSettings(data=library, workers=0, device="cpu"), lambda *_: None)
    assert isinstance(caught.value, EvaluationError)
    assert sentence in caught.value.en
    assert any("\u4e00" <= char <= "\u9fff" for char in caught.value.zh)
    assert caught.value.users_mistake


def test_tables_of_pictures_are_checked_line_by_line(pictures, tmp_path):
    texts = write_chinese_clip(tmp_path, pictures, [("裙子", [0])])
    table = tmp_path / "valid_imgs.tsv"
    whole = table.read_bytes()
    for added, sentence in ((b"1000\tAAAA\n", "line 25: the id 1000 comes twice"), (b"1999\n", "line 25: it is not")):
        table.write_bytes(whole + added)
        with pytest.raises(InvalidDataSet, match=sentence):
            run(texts)


def test_where_no_picture_can_be_read_the_first_reason_is_given(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"no picture")
    with pytest.raises(InvalidDataSet, match=r"can be used: cat/1\.png cannot be used: not a picture") as caught:
        run(tmp_path)
    assert "cat/1.png" in caught.value.zh


def test_classes_need_folders_of_their_own(pictures, classes, tmp_path):
    with pytest.raises(InvalidDataSet, match="lies in no folder of a class"):
        run(pictures)
    with pytest.raises(InvalidDataSet, match="two classes at least"):
        run(tmp_path_with(tmp_path, classes / "cat"))
    with pytest.raises(InvalidDataSet, match="names none of the classes"):
        run(classes, names=write_table(tmp_path / "n.csv", ("class", "name"), ("elephant", "大象")))


def tmp_path_with(tmp_path: Path, folder: Path) -> Path:
    shutil.copytree(folder, tmp_path / "one" / folder.name)
    return tmp_path / "one"


def test_a_name_that_two_pictures_have_is_not_guessed(pictures, captions, tmp_path):
    for folder in ("one", "two"):
        shutil.copytree(pictures, tmp_path / "all" / folder)
    with pytest.raises(InvalidDataSet, match=r"000\.png may be one/000\.png or two/000\.png"):
        run(captions[0], pictures=[tmp_path / "all"])


def test_data_of_two_forms_is_not_evaluated_together(captions, pictures, tmp_path):
    table = write_table(tmp_path / "q.csv", ("query", "picture"), ("a", "b"))
    with pytest.raises(InvalidDataSet, match="one data set at a time"):
        run(captions[0], table, pictures=[pictures])


# Two runs


def test_an_earlier_report_is_compared_query_by_query(pictures, captions, tmp_path):
    done = run(*captions, pictures=[pictures])
    earlier = tmp_path / "before.json"
    earlier.write_text(json.dumps(done.report.to_dict()), encoding="utf-8")
    (again, *_) = compare_results(done.report.results, read_results(earlier))
    assert {(one.value, one.low, one.high) for one in again.metrics.values()} == {(0, 0, 0)}
    other = run(captions[0], pictures=[pictures], as_written=True)
    assert [one.task for one in compare_results(other.report.results, read_results(earlier))] == [
        "text->image",
        "image->text",
    ]
    (tmp_path / "split.txt").write_text("000\n001\n", encoding="utf-8")
    fewer = run(captions[0], pictures=[pictures], only=tmp_path / "split.txt")
    assert compare_results(fewer.report.results, read_results(earlier)) == []


LARGE_GROUP = (
    '{"format": 1, "results": [{"task": "x", "language": "zh", "checksum": "", "sample": '
    '{"kind": "ranks", "groups": [99999999999999999999], "ranks": [1]}}]}'
)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"format": 1e999}',
        LARGE_GROUP,
        "",
        "{}",
        '{"format": 99}',
        '{"format": 1, "results": [{"task": "x"}]}',
        None,
    ],
)
def test_what_is_no_report_is_not_compared_with(tmp_path, content):
    path = tmp_path / "before.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(NotComparable):
        read_results(path)


# The command


def test_a_table_for_people_and_json_for_programs(xuntu, pictures, captions, tmp_path):
    (tmp_path / "missing.txt").write_text("999.png#enc#0 a dog\n", encoding="utf-8")
    arguments = ("evaluate", *captions, tmp_path / "missing.txt", "--pictures", pictures, "--encoder", "hash")
    refused = xuntu(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "such as 999.png" in refused.stderr

    done = xuntu(*arguments, "--allow-missing")
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split()[:6] == ["task", "language", "queries", "gallery", "R@1", "R@5"]
    assert [row.split()[:4] for row in rows][:2] == [
        ["text->image", "en", "40", "24"],
        ["text->image", "zh", "40", "24"],
    ]
    assert "Pictures ranked for each caption: 24, of which 4 have no caption." in done.stderr
    assert "999.png" in done.stderr

    printed = xuntu(*arguments, "--allow-missing", "--json")
    report = json.loads(printed.stdout)
    assert (report["form"], report["encoder"], report["left_out"]["missing"]) == ("captions", "hash", 1)
    assert set(report["results"][0]["metrics"]) == {"recall@1", "recall@5", "recall@10", "mean_recall", "median_rank"}
    (tmp_path / "before.json").write_text(printed.stdout, encoding="utf-8")
    against = xuntu(*arguments, "--allow-missing", "--against", "before.json")
    assert "unclear" in against.stdout
    other = xuntu("evaluate", captions[0], "--pictures", pictures, "--encoder", "hash", "--against", "missing.txt")
    assert (other.returncode, "not a report" in other.stderr) == (2, True)


def test_the_command_asks_the_library_that_is_named(xuntu, library, tmp_path):
    write_table(tmp_path / "q.csv", ("query", "picture"), ("一只猫", "cat.png"), ("一只猫", "gone.png"))
    done = xuntu("--data", library, "evaluate", "q.csv", LANG="zh_CN.UTF-8")
    assert done.returncode == 0, done.stderr
    head, row, *_ = done.stdout.splitlines()
    assert head.split()[:4] == ["任务", "语言", "查询数", "候选数"]
    assert row.split()[:5] == ["以文搜图", "中文", "1", "9", "100.0（100.0"]
    assert "不存在的图片：1 张（gone.png）" in done.stderr
    assert "编码器 starter" in done.stderr


def test_a_language_that_nobody_knows_is_shown_as_it_is_written(ask):
    ((head, ((_, shown, *_),)),) = result_tables(ask(("a cat", "cat.png", "{x}")).report.results)
    assert (str(head[1]), shown.text("en"), shown.text("zh")) == ("language", "{x}", "{x}")


def test_ctrl_c_ends_it_at_once(pictures, tmp_path, processes):
    picture = base64.b64encode((pictures / "000.png").read_bytes())
    (tmp_path / "valid_imgs.tsv").write_bytes(b"".join(b"%d\t%s\n" % (n, picture) for n in range(40_000)))
    (tmp_path / "valid_texts.jsonl").write_text('{"text": "狗", "image_ids": [1]}\n', encoding="utf-8")
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from api.cli import main; main()",
            "evaluate",
            "valid_texts.jsonl",
            "--encoder",
            "hash",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert any("Encoding pictures" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
