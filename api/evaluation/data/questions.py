"""A person's own questions: a table with the columns query, picture and, if they like, language.

A query with several right pictures has several rows. One whose picture is empty asks for what the library has not.
"""

from pathlib import Path

from api.evaluation.data.columns import read_columns
from api.evaluation.data.datasets import Question, QuestionSet, language_of
from api.evaluation.errors import InvalidDataSet
from models.foundation.messages import message

FORM = "questions"
COLUMNS = {
    "query": "query text question caption 查询 文字 描述",
    "picture": "picture path image file id 图片 路径 文件",
    "language": "language lang 语言",
}


def read_questions(path: Path) -> QuestionSet:
    """Return the questions of a table (CSV, TSV, JSON lines, Parquet). Raises InvalidDataSet, BackendNotInstalled."""
    if not path.is_file():
        raise InvalidDataSet(path, message("there is no such file"))
    asked: dict[tuple[str, str], tuple[int, dict[str, None]]] = {}
    for row, (query, picture, language) in read_columns(path, COLUMNS, ("query", "picture")):
        if not query:
            raise InvalidDataSet(path, message("its query is empty"), row=row)
        text = " ".join(query.split())
        _, pictures = asked.setdefault((text, language_of(text, language)), (row, {}))
        if picture:
            pictures[picture] = None
    return QuestionSet(
        path, [Question(text, language, tuple(found), row) for (text, language), (row, found) in asked.items()]
    )
