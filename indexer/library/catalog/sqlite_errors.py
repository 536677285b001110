"""What SQLite says went wrong, as a part of a sentence in both languages."""

import sqlite3

from models.foundation.wording import Wording

_ZH = {
    **dict.fromkeys((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED), "正被另一个程序占用"),
    **dict.fromkeys((sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH), "没有权限"),
    sqlite3.SQLITE_READONLY: "文件是只读的",
    sqlite3.SQLITE_NOMEM: "内存不足",
    sqlite3.SQLITE_IOERR: "磁盘读写出错",
    sqlite3.SQLITE_CORRUPT: "数据库的内容已损坏",
    sqlite3.SQLITE_FULL: "磁盘空间不足",
    sqlite3.SQLITE_CANTOPEN: "无法打开文件",
    sqlite3.SQLITE_NOTADB: "这不是 SQLite 数据库",
    sqlite3.SQLITE_ERROR: "其中的表不是预期的样子",
}


def sqlite_wording(error: sqlite3.Error | UnicodeDecodeError) -> Wording:
    """Return the reason for an error; bytes in a name that are damaged are one that SQLite itself never sees."""
    if isinstance(error, UnicodeDecodeError):
        return Wording("names in it are damaged", "其中的名称已损坏")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says more than people need
    return Wording(str(error), _ZH.get(code, f"SQLite 错误 {code}"))
