"""Every word of the page of the library, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStrings:
    """The words of one language. Braces are filled in by the code that shows the sentence."""

    window: str
    title: str
    library: str
    section: str
    sections: Mapping[str, str]
    wrong_key: str
    request_id: str
    away: str
    needs_index: str
    needs_admin: str
    only_looks: str
    none_text: str

    empty_title: str
    empty_body: str
    empty_command: str
    pictures: str
    videos: str
    originals: str
    not_indexed: str
    last_build: str
    took: str
    between_sentences: str
    roots: str
    root: str
    root_kind: str
    root_kinds: Mapping[str, str]
    state: str
    states_of_roots: Mapping[str, str]
    encoders: str
    encoder: str
    dimensions: str
    languages: str
    language_names: Mapping[str, str]
    answers: str
    query_kinds: Mapping[str, str]
    partly: str
    room: str
    room_index: str
    room_free: str
    room_note: str
    formats: str

    add_title: str
    add_none: str
    add_hint: str
    add_inside: str
    add_choose: str
    add_first: str
    add_up: str
    add_cut: str
    add_known: str
    add_more: str
    add_include: str
    add_exclude: str
    add_patterns: str
    add_hidden: str
    add_do: str
    work_title: str
    work: Mapping[str, str]
    work_help: Mapping[str, str]
    work_again: Mapping[str, str]
    last_took: str
    sure: str
    cancel: str
    asked: str

    runs: str
    command_runs: str
    waits: str
    rate: str
    left: str
    failed_so_far: str
    cancel_job: str
    cancelling: str
    jobs_none: str
    job: str
    job_states: Mapping[str, str]
    started: str
    took_column: str
    caller: str
    outcome: str
    did: str
    did_duplicates: str
    did_compact: str
    warnings_count: str

    skipped_none: str
    skipped_intro: str
    problem_kinds: Mapping[str, str]
    count: str
    reason: str
    advice: str
    advices: Mapping[str, str]
    file: str
    folder_of: str
    all_reasons: str
    shown_cut: str
    download_csv: str
    retry: str

    doubles_none_yet: str
    doubles_none: str
    doubles_find: str
    doubles_intro: str
    doubles_old: str
    keep: str
    copy: str
    near: str
    keep_why: str
    bits: str
    page_of: str
    previous: str
    next: str
    export: str
    export_which: str
    export_kinds: Mapping[str, str]
    export_root: str
    export_lines: str
    export_nul: str
    export_note: str
    export_left_out: str

    told_title: str
    told_none: str
    told_auroc: str
    told_said: str
    told_right: str
    told_hits: str
    told_how: str
    check_title: str
    check_intro: str
    check_queries: str
    check_begin: str
    check_nothing: str
    check_question: str
    check_right: str
    check_wrong: str
    check_skip: str
    check_stop: str
    check_done: str
    check_said: str
    check_note: str
    check_again: str
    between: str

    settings_intro: str
    setting: str
    value: str
    source: str
    sources: Mapping[str, str]
    is_set: str
    changed_only: str
    description: str


ZH = LibraryStrings(
    window="图片库 · 寻图",
    title="图片库",
    library="图片库",
    section="栏目",
    sections={
        "overview": "概况",
        "folders": "添加与更新",
        "jobs": "任务",
        "skipped": "未收录的文件",
        "duplicates": "重复图片",
        "relevance": "匹配度",
        "settings": "设置",
    },
    wrong_key="页面用来访问服务的密钥不对，或者不够用。管理员可以用 xuntu key create 新建一个，写进 XUNTU_API__TOKEN "
    "后重启页面。",
    request_id="请求编号 {id}",
    away="连不上服务。恢复后这里会自动更新，不用刷新。",
    needs_index="看这些需要权限 index，页面的密钥没有。由 xuntu serve 启动的页面可设 "
    "XUNTU_API__PAGE_SCOPES=search,files,index；"
    "单独启动的页面请换一个有此权限的密钥。",
    needs_admin="看这些需要权限 admin，页面的密钥没有。由 xuntu serve 启动的页面可设 "
    "XUNTU_API__PAGE_SCOPES=search,files,index,admin。",
    only_looks="这个页面只能看，不能改：其他机器也能打开它。管理员可设 XUNTU_UI__MANAGE=1 放开。",
    none_text="无",
    empty_title="还没有图片",
    empty_body="选一个文件夹，第一次建立索引时图片会陆续出现。",
    empty_command="在服务所在的机器上运行下面的命令，PATH 换成图片所在的文件夹。完成后这里会自动更新。",
    pictures="图片",
    videos="其中视频",
    originals="原文件共",
    not_indexed="未收录",
    last_build="当前索引建于 {ago}（{when}）。",
    took="用时 {time}。",
    between_sentences="",
    roots="来源",
    root="名称",
    root_kind="类型",
    root_kinds={"folder": "文件夹", "list": "清单", "shard": "分片", "": "尚未添加"},
    state="状态",
    states_of_roots={"fine": "正常", "gone": "现在访问不到", "uploads": "接收上传", "outside": "可添加"},
    encoders="编码器",
    encoder="编码器",
    dimensions="维数",
    languages="语言",
    language_names={"zh": "中文", "en": "英文"},
    answers="回答哪些查询",
    query_kinds={"zh": "中文", "en": "英文", "picture": "图片"},
    partly="还差 {n} 张",
    room="空间",
    room_index="索引与目录",
    room_free="磁盘剩余",
    room_note="索引与目录包括目录 {catalog}、向量 {vectors}、索引 {indexes}，不含缩略图。",
    formats="格式：{list}",
    add_title="添加文件夹",
    add_none="没有可以添加的文件夹。管理员在 XUNTU_API__JOB_ROOTS 中列出允许的文件夹，冒号分隔，然后重启服务。",
    add_hint="只列出管理员允许的文件夹。",
    add_inside="现在选中 {folder}",
    add_choose="打开其中的文件夹",
    add_first="选择文件夹",
    add_up="返回上一级",
    add_cut="文件夹太多，只列出前面一部分。",
    add_known="{folder} 已在图片库中。再次添加只收录有变化的部分。",
    add_more="更多选项",
    add_include="只收录符合的文件",
    add_exclude="不收录符合的文件",
    add_patterns="写法同 .gitignore，一行一个，如 *.jpg",
    add_hidden="包括隐藏文件",
    add_do="添加这个文件夹",
    work_title="更新与整理",
    work={
        "build": "添加",
        "update": "更新",
        "retry": "重试",
        "annotate": "补充标注",
        "duplicates": "查找重复",
        "rebuild": "重建索引",
        "compact": "压缩",
    },
    work_help={
        "update": "找出各来源里新增、改动和删除的图片，并收录。",
        "retry": "更新，并把以前没能收录的文件全部再试一次。",
        "annotate": "对还没看过的图片补充标签、文字、地点等信息，不重新编码。",
        "duplicates": "找出完全相同和近似的图片，列在“重复图片”里。不删除任何文件。",
        "rebuild": "用已有的向量重新建立索引，不读取图片。",
        "compact": "清除已不在的图片留下的数据，腾出磁盘空间。",
    },
    work_again={
        "rebuild": "重建期间仍可搜索，完成后换用新索引。只有索引损坏或换了设置时才需要。",
        "compact": "已不在的图片的记录、向量和缩略图会被删除，也不能再退回上一个索引。图片文件本身不受影响。",
    },
    last_took="上次用时 {time}。",
    sure="确定",
    cancel="取消",
    asked="已提交：{what}",
    runs="正在进行：{what}",
    command_runs="有命令正在写入图片库",
    waits="等待中：{what}",
    rate="每秒 {rate} 个",
    left="还需 {time}",
    failed_so_far="{n} 个失败",
    cancel_job="停止",
    cancelling="正在停止……",
    jobs_none="还没有任务。",
    job="任务",
    job_states={
        "queued": "等待中",
        "running": "进行中",
        "done": "完成",
        "failed": "失败",
        "cancelled": "已取消",
    },
    started="开始于",
    took_column="用时",
    caller="提交者",
    outcome="结果",
    did="新收录 {encoded}，沿用 {reused}，失败 {failed}，移除 {removed}",
    did_duplicates="{groups} 组，多出 {others} 张",
    did_compact="清除 {forgotten} 张，腾出 {bytes}",
    warnings_count="{n} 条提醒",
    skipped_none="所有文件都收录了。",
    skipped_intro="{skipped} 个文件没有读取，{failed} 个读取失败，{partial} 个只收录了一部分。",
    problem_kinds={"skipped": "没有读取", "failed": "读取失败", "partial": "部分收录"},
    count="数量",
    reason="原因",
    advice="怎么办",
    advices={
        "repair": "文件已损坏：从备份恢复，或删掉。",
        "extra": "按说明安装所缺的部分，然后更新。",
        "format": "换成 JPEG、PNG 等常见格式。",
        "limit": "确要收录就调高限制（XUNTU_MAX_PIXELS、XUNTU_MAX_FILE_BYTES），然后重试。",
        "rights": "让运行服务的用户能读取它，然后重试。",
        "memory": "减少并行（XUNTU_WORKERS），或加内存，然后重试。",
        "network": "检查网络和清单里的地址，然后重试。",
        "list": "改正清单里的这一行，然后更新。",
        "again": "重试一次；仍不行就看服务的日志。",
        "partial": "已能搜到。原文件若有完整的一份，换上后更新。",
    },
    file="文件",
    folder_of="来源",
    all_reasons="全部原因",
    shown_cut="只列出前 {n} 个；CSV 里有全部。",
    download_csv="下载 CSV",
    retry="全部重试",
    doubles_none_yet="还没有找过重复图片。",
    doubles_none="没有发现重复图片。",
    doubles_find="查找重复",
    doubles_intro="{groups} 组。每组第一张建议保留：像素最多，其次文件最大，再次日期最早。这里不删除任何文件。",
    doubles_old="这是上一个索引的结果，之后的图片不在其中。可以再找一次。",
    keep="保留",
    copy="内容相同",
    near="近似",
    keep_why="{width} × {height} · {size}",
    bits="相差 {bits} 位，余弦 {cosine}",
    page_of="第 {first}–{last} 组，共 {total} 组",
    previous="上一页",
    next="下一页",
    export="导出清单",
    export_which="哪些图片",
    export_kinds={"copy": "只要内容完全相同的", "all": "除保留的以外全部"},
    export_root="来源",
    export_lines="路径，一行一个",
    export_nul="路径，NUL 分隔",
    export_note="路径相对于来源 {root}。到那个文件夹里交给自己的脚本处理，例如先移走再检查：",
    export_left_out="名称含换行或无法显示的文件不在清单里，CSV 里有。",
    told_title="匹配度有多可信",
    told_none="这个图片库还没有匹配度：结果只按相似程度排列。",
    told_auroc="区分能力（AUROC）",
    told_said="说的匹配度",
    told_right="实际正确",
    told_hits="结果数",
    told_how="校准需要至少 10 个库里有的和 10 个库里没有的问题，并列出全部正确图片，见文档“校准”：",
    check_title="自己检查：这对吗？",
    check_intro="写几个你会搜的内容，看最多 30 个结果，逐个回答对不对。得到的是你的图片库里匹配度（或排在前面的结果）"
    "有多可信。",
    check_queries="每行一个，最多三行",
    check_begin="开始",
    check_nothing="没有找到可以检查的结果。",
    check_question="第 {n} 个，共 {total} 个：这是“{query}”吗？",
    check_right="是",
    check_wrong="不是",
    check_skip="说不准",
    check_stop="到此为止",
    check_done="你回答了 {n} 个，其中 {right} 个正确：{share}（95% 区间 {low}–{high}）。",
    check_said="同样这些结果，服务说的匹配度平均是 {said}。",
    check_note="这只是检查，不会改变匹配度：这些结果都排在前面，没有看过其余图片，不能用来校准。",
    check_again="再来一次",
    between="{low}–{high}",
    settings_intro="只读。修改环境变量或 .env 后重启服务。",
    setting="设置",
    value="值",
    source="来自",
    sources={
        "default": "默认",
        "environment": "环境变量",
        "secret file": "密钥文件",
        ".env": ".env 文件",
        "start": "启动参数",
    },
    is_set="已设置（不显示）",
    changed_only="只看改过的",
    description="说明",
)

EN = LibraryStrings(
    window="Library · xuntu",
    title="Library",
    library="Library",
    section="Section",
    sections={
        "overview": "Overview",
        "folders": "Add and update",
        "jobs": "Jobs",
        "skipped": "Files left out",
        "duplicates": "Duplicates",
        "relevance": "Relevance",
        "settings": "Settings",
    },
    wrong_key="The key with which the page asks the service is wrong, or not enough. The operator makes one with "
    "xuntu key create, "
    "puts it into XUNTU_API__TOKEN and starts the page again.",
    request_id="Request {id}",
    away="The service cannot be reached. This page goes on by itself when it can.",
    needs_index="To see this the page needs the scope index, which its key does not have. For a page that xuntu "
    "serve starts, set "
    "XUNTU_API__PAGE_SCOPES=search,files,index; give one that was started alone a key with that scope.",
    needs_admin="To see this the page needs the scope admin, which its key does not have. For a page that xuntu "
    "serve starts, set "
    "XUNTU_API__PAGE_SCOPES=search,files,index,admin.",
    only_looks="This page only shows and changes nothing, as other machines can open it. The operator may set "
    "XUNTU_UI__MANAGE=1.",
    none_text="None",
    empty_title="No pictures yet",
    empty_body="Choose a folder. Pictures appear while the first index is made.",
    empty_command="Run this on the machine of the service, with the folder of your pictures for PATH. This page goes "
    "on by itself.",
    pictures="Pictures",
    videos="Videos among them",
    originals="Original files",
    not_indexed="Left out",
    last_build="The index was made {ago} ({when}).",
    took="It took {time}.",
    between_sentences=" ",
    roots="Sources",
    root="Name",
    root_kind="Kind",
    root_kinds={"folder": "Folder", "list": "List", "shard": "Shards", "": "Not added yet"},
    state="State",
    states_of_roots={
        "fine": "Fine",
        "gone": "Cannot be reached now",
        "uploads": "Takes uploads",
        "outside": "Can be added",
    },
    encoders="Encoders",
    encoder="Encoder",
    dimensions="Dimensions",
    languages="Languages",
    language_names={"zh": "Chinese", "en": "English"},
    answers="Answers queries in",
    query_kinds={"zh": "Chinese", "en": "English", "picture": "pictures"},
    partly="{n} still missing",
    room="Room",
    room_index="Index and catalog",
    room_free="Free on the disk",
    room_note="Index and catalog: the catalog {catalog}, vectors {vectors}, indexes {indexes}; thumbnails come on top.",
    formats="Formats: {list}",
    add_title="Add a folder",
    add_none="There is no folder that can be added. The operator names them in XUNTU_API__JOB_ROOTS, colons between "
    "them, and starts "
    "the service again.",
    add_hint="Only folders that the operator allows are listed.",
    add_inside="Chosen: {folder}",
    add_choose="Open a folder in it",
    add_first="Choose a folder",
    add_up="One level up",
    add_cut="There are too many folders; the first of them are listed.",
    add_known="{folder} is in the library already. Adding it again takes in what has changed.",
    add_more="More options",
    add_include="Only files that match",
    add_exclude="Not files that match",
    add_patterns="As in .gitignore, one a line: *.jpg",
    add_hidden="Hidden files too",
    add_do="Add this folder",
    work_title="Update and tidy up",
    work={
        "build": "Add",
        "update": "Update",
        "retry": "Retry",
        "annotate": "Annotate",
        "duplicates": "Find duplicates",
        "rebuild": "Rebuild the index",
        "compact": "Compact",
    },
    work_help={
        "update": "Finds new, changed and deleted pictures in all sources, and takes them in.",
        "retry": "Updates, and tries every file again that could not be indexed.",
        "annotate": "Finds labels, text, places and more in pictures that were not looked at; nothing is encoded "
        "again.",
        "duplicates": "Finds copies and near-duplicates and lists them under Duplicates. No file is deleted.",
        "rebuild": "Makes the index again from the stored vectors; no picture is read.",
        "compact": "Clears what pictures that are gone have left behind, and frees room on the disk.",
    },
    work_again={
        "rebuild": "Searches go on meanwhile, and use the new index when it is done. It is needed only where the "
        "index is damaged or "
        "settings of it have changed.",
        "compact": "Rows, vectors and thumbnails of pictures that are gone are deleted, and there is no going back "
        "to the index before "
        "this one. Picture files are not touched.",
    },
    last_took="It took {time} last time.",
    sure="Go ahead",
    cancel="Cancel",
    asked="Asked for: {what}",
    runs="Running: {what}",
    command_runs="A command is writing to the library",
    waits="Waiting: {what}",
    rate="{rate} a second",
    left="{time} left",
    failed_so_far="{n} failed",
    cancel_job="Stop",
    cancelling="Stopping…",
    jobs_none="There are no jobs yet.",
    job="Job",
    job_states={
        "queued": "Waiting",
        "running": "Running",
        "done": "Done",
        "failed": "Failed",
        "cancelled": "Cancelled",
    },
    started="Started",
    took_column="Took",
    caller="Asked by",
    outcome="Outcome",
    did="{encoded} taken in, {reused} as before, {failed} failed, {removed} removed",
    did_duplicates="{groups} groups, {others} pictures too many",
    did_compact="{forgotten} cleared, {bytes} freed",
    warnings_count="{n} warnings",
    skipped_none="Every file is in the library.",
    skipped_intro="{skipped} files are not read, {failed} could not be read, and of {partial} only a part is in the "
    "library.",
    problem_kinds={"skipped": "Not read", "failed": "Failed", "partial": "In part"},
    count="Files",
    reason="Reason",
    advice="What to do",
    advices={
        "repair": "The file is damaged: restore it from a backup, or delete it.",
        "extra": "Install what is missing, as it says, then update.",
        "format": "Convert it to a common format such as JPEG or PNG.",
        "limit": "To take it in all the same, raise the limit (XUNTU_MAX_PIXELS, XUNTU_MAX_FILE_BYTES), then retry.",
        "rights": "Let the user that the service runs as read it, then retry.",
        "memory": "Let fewer be read at once (XUNTU_WORKERS), or add memory, then retry.",
        "network": "Look at the network and at the address in the list, then retry.",
        "list": "Mend this row of the list, then update.",
        "again": "Retry; if it fails again, see the log of the service.",
        "partial": "It is found all the same. If you have a whole copy, put it in its place and update.",
    },
    file="File",
    folder_of="Source",
    all_reasons="Every reason",
    shown_cut="The first {n} are listed; the CSV has all.",
    download_csv="Download CSV",
    retry="Retry all",
    doubles_none_yet="Nobody has looked for duplicates yet.",
    doubles_none="There are no duplicates.",
    doubles_find="Find duplicates",
    doubles_intro="{groups} groups. The first of each is worth keeping: most pixels, then the larger file, then the "
    "earlier date. No file "
    "is deleted here.",
    doubles_old="This was found in an earlier index; later pictures are not in it. You can look again.",
    keep="Keep",
    copy="Same content",
    near="Near",
    keep_why="{width} × {height} · {size}",
    bits="{bits} bits apart, cosine {cosine}",
    page_of="Groups {first}–{last} of {total}",
    previous="Previous",
    next="Next",
    export="Export a list",
    export_which="Which pictures",
    export_kinds={"copy": "Only those with the same content", "all": "All but the ones to keep"},
    export_root="Source",
    export_lines="Paths, one a line",
    export_nul="Paths, NUL between them",
    export_note="Paths are below the source {root}. Give them to a script of your own in that folder; to move them "
    "away and look first:",
    export_left_out="Names with a line break, or that cannot be shown, are not in the list; the CSV has them.",
    told_title="How far relevance can be trusted",
    told_none="This library has no relevance yet: hits are in order of similarity alone.",
    told_auroc="Tells apart (AUROC)",
    told_said="Said",
    told_right="Was right",
    told_hits="Hits",
    told_how="Calibration takes at least 10 questions for what is there and 10 for what is not, with all their right "
    "pictures; see "
    "Calibration in the documents:",
    check_title="Check for yourself: is this right?",
    check_intro="Write what you would search for, look at up to 30 hits and say of each whether it is right. You "
    "learn how far relevance, or "
    "the first hits, can be trusted in your library.",
    check_queries="One a line, three at most",
    check_begin="Begin",
    check_nothing="Nothing was found that could be checked.",
    check_question="{n} of {total}: is this “{query}”?",
    check_right="Yes",
    check_wrong="No",
    check_skip="Cannot say",
    check_stop="Stop here",
    check_done="Of {n} that you answered {right} were right: {share} (95% interval {low} to {high}).",
    check_said="Of the same hits the service had said {said} on average.",
    check_note="This is a check and changes nothing: these hits all came first and the others were not looked at, so "
    "that a calibration "
    "cannot be made of them.",
    check_again="Once more",
    between="{low} to {high}",
    settings_intro="Read-only. Change the environment or .env, then start the service again.",
    setting="Setting",
    value="Value",
    source="From",
    sources={
        "default": "Default",
        "environment": "Environment",
        "secret file": "Secret file",
        ".env": ".env",
        "start": "Given at the start",
    },
    is_set="Set, not shown",
    changed_only="Only what was changed",
    description="What it sets",
)


def words_of(lang: str) -> LibraryStrings:
    """Return the words of a language; English for any that is not Chinese."""
    return ZH if lang == "zh" else EN
