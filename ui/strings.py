"""Every word of the page, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LANGS = ("zh", "en")
LANG_NAMES = {"zh": "中文", "en": "EN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strings:
    """The words of one language. Braces are filled in by the code that shows the sentence."""

    html_lang: str
    title: str
    subtitle: str
    picture_count: str
    placeholder: str
    placeholder_short: str
    search: str
    search_label: str
    query_help: str
    add_picture: str
    drop_here: str
    drop_hint: str
    remove: str
    clear: str
    weight: str
    without: str
    read_literally: str
    literal: str
    kinds: Mapping[str, str]
    read_plainly: str
    plain: str
    only: str
    your_picture: str
    picture_lost: str
    upload_note: str
    upload_lost: str
    upload_lost_title: str
    upload_unreadable: str
    upload_failed: str
    theme: str
    language: str

    match: str
    match_help: str
    matches: dict[str, str]
    look_at_pictures: str
    look_at_words: str
    tip_match: str

    filters: str
    filter_kind: str
    filter_shape: str
    filter_colour: str
    filter_format: str
    filter_width: str
    filter_taken: str
    filter_folder: str
    folder_hint: str
    date_from: str
    date_to: str
    since: str
    until: str
    any_width: str
    at_least: str
    filter_duplicates: str
    hide_duplicates: str
    folded: str
    filter_sure: str
    sure: str
    sure_seen: str
    media: dict[str, str]
    shapes: dict[str, str]
    colours: dict[str, str]

    welcome_title: str
    welcome_body: str
    examples_label: str
    examples: tuple[str, ...]
    sample_query: str
    sample_label: str
    filters_wait: str

    found_first: dict[str, str]
    shown: str
    shown_without_duplicates: str
    score: str
    relevance: str
    likelihoods: dict[str, str]
    no_match_title: str
    no_match_body: str
    nearest_label: str
    any_relevance: str
    more_like: str
    less_like: str
    previous: str
    next: str
    open_picture: str
    part: str
    play_from: str
    play_clip: str
    fetching_film: str
    not_played: str
    film_too_large: str
    moments: str
    duration: str
    part_of: str
    crop: str
    crop_hint: str
    crop_box: str
    crop_search: str
    cancel: str
    found_by: str
    found_here: str
    found_in: Mapping[str, str]
    looks_like: str
    is_video: str
    yes: str
    no_preview: str

    nothing_title: str
    nothing_body: str
    past_end_title: str
    past_end_body: str
    first_page: str
    tip_filters: str
    tip_away: str
    tip_words: str
    without_filters: str
    start_over: str

    empty_title: str
    empty_body: str
    empty_after: str
    copy: str
    copied: str

    error_title: str
    misunderstood_title: str
    retry: str
    request_id: str

    close: str
    download: str
    original: str
    downloading: str
    download_too_large: str
    copy_name: str
    folder: str
    taken: str
    taken_by_name: str
    modified: str
    camera: str
    dimensions: str
    file: str
    tags: str
    palette: str
    place: str
    has_gps: str
    similar: str
    all_similar: str
    previous_picture: str
    next_picture: str
    gone_title: str

    just_now: str
    minutes_ago: str
    hours_ago: str
    days_ago: str
    updated: str


ZH = Strings(
    html_lang="zh-CN",
    title="寻图",
    subtitle="xuntu",
    picture_count="{n} 张图片",
    placeholder="说一说图里有什么，或拖入、粘贴一张图片；前面加 - 表示不要，如：雪山 -人",
    placeholder_short="图里有什么？加 - 表示不要",
    search="搜索",
    search_label="搜索图片",
    query_help='用中文或英文描述画面，可以说“没有人”“不要水印”。词前加减号也表示远离它：雪山 -人，或 -"红色 汽车"。'
    "按 / 可回到这里。",
    add_picture="用图片搜索",
    drop_here="松开，用这张图片搜索",
    drop_hint="也可以把图片拖到页面任意位置，或直接粘贴",
    remove="去掉 {what}",
    clear="全部清除",
    weight="权重 {weight}",
    without="不要 {what}",
    read_literally="不这样理解，按字面搜索",
    literal="按字面搜索",
    kinds={"date": "日期", "place": "地点", "quoted": "原文", "file": "文件名", "code": "编号", "video": "类型"},
    read_plainly="不这样理解，当作画面内容",
    plain="“{what}”当作画面内容",
    only="只看这些",
    your_picture="你的图片",
    picture_lost="图片已不在此处",
    upload_note="你的图片只留在这个浏览器会话里，链接不会带上它。",
    upload_lost="这个搜索用到的图片没有随链接一起过来，请把它再拖进来一次。",
    upload_lost_title="缺一张图片",
    upload_unreadable="这个文件不像图片，或者超过 20 MB。请换一张 JPEG、PNG 或 WebP。",
    upload_failed="图片没有读完整，请再试一次。",
    theme="切换深浅色",
    language="语言",
    match="查找方式",
    match_help="全部一起找，只看画面，或只查图中文字、说明、标签和文件名",
    matches={"auto": "全部", "vector": "画面", "text": "文字"},
    look_at_pictures="改为按画面查找",
    look_at_words="改为按文字查找",
    tip_match="现在只查说明、标签和文件名里的文字，也可以按画面查找",
    filters="筛选",
    filter_kind="类型",
    filter_shape="画幅",
    filter_colour="主色",
    filter_format="格式",
    filter_width="宽度",
    filter_taken="拍摄日期",
    filter_folder="文件夹",
    folder_hint="例如 2024/旅行/",
    date_from="起",
    date_to="止",
    since="{day} 起",
    until="{day} 止",
    any_width="不限",
    at_least="≥ {n} 像素",
    filter_duplicates="重复",
    hide_duplicates="隐藏重复图片",
    folded="另有 {n} 张重复图片未显示",
    filter_sure="匹配度",
    sure="匹配度 ≥ {n}%",
    sure_seen="用校准时没有见过的事物检验：50% 以上的结果有 {n}% 正确。",
    media={"picture": "图片", "video": "视频"},
    shapes={"landscape": "横幅", "portrait": "竖幅", "square": "方形", "panorama": "全景"},
    colours={
        "black": "黑",
        "grey": "灰",
        "white": "白",
        "red": "红",
        "orange": "橙",
        "yellow": "黄",
        "green": "绿",
        "cyan": "青",
        "blue": "蓝",
        "purple": "紫",
        "pink": "粉",
        "brown": "棕",
    },
    welcome_title="想找哪张图？",
    welcome_body="说出画面，或者给一张相似的图片。",
    examples_label="试试",
    examples=("雪山下的湖", "夜晚的城市灯光", "一只看着镜头的猫", "桌上的一杯咖啡", "海边日落 -人"),
    sample_query="照片",
    sample_label="图库里的一些图片",
    filters_wait="筛选会在你搜索时生效。",
    found_first={
        "auto": "最相符的在前 · {ms} 毫秒",
        "vector": "最接近的在前 · {ms} 毫秒",
        "text": "文字最相符的在前 · {ms} 毫秒",
        "both": "画面和文字都相符的在前 · {ms} 毫秒",
    },
    shown="第 {first}–{last} 张，共 {total} 张",
    shown_without_duplicates="第 {first}–{last} 张，连同隐藏的重复图片共 {total} 张",
    score="相似度 {score}",
    relevance="匹配度 {n}%",
    likelihoods={"likely": "很可能", "maybe": "也许", "unlikely": "不太可能"},
    no_match_title="没有很匹配的图片",
    no_match_body="没有图片的匹配度达到 {n}%。",
    nearest_label="最接近的图片",
    any_relevance="不限匹配度",
    more_like="多找像这样的",
    less_like="少找像这样的",
    previous="上一页",
    next="下一页",
    open_picture="打开 {name}",
    part="第 {n} 部分，共 {count} 部分",
    play_from="从 {time} 开始播放",
    play_clip="播放实况",
    fetching_film="正在取视频…",
    not_played="浏览器不能播放这种视频。请下载原文件后观看。",
    film_too_large="这个视频太大，无法经页面播放。请在文件夹里打开它。",
    moments="其中的时刻",
    duration="时长",
    part_of="{name} 的局部",
    crop="用局部搜索",
    crop_hint="在图片上拖动，画出要找的部分",
    crop_box="要找的部分。方向键移动，Shift 加方向键改变大小，回车搜索，Esc 退出",
    crop_search="搜索这一部分",
    cancel="取消",
    found_by="为什么找到",
    found_here="在这里找到",
    found_in={
        "caption": "描述",
        "caption_en": "机器写的描述",
        "caption_zh": "机器写的描述",
        "label": "自动标签",
        "label_names": "自动标签",
        "tag": "标签",
        "name": "文件名",
        "ocr": "图中文字",
        "taken": "日期",
        "place": "地点",
        "kind": "类型",
        "picture": "画面",
    },
    looks_like="看起来相符",
    is_video="视频",
    yes="是",
    no_preview="无法显示预览",
    nothing_title="没有符合条件的图片",
    nothing_body="图库里没有图片同时满足这些条件。",
    past_end_title="后面没有了",
    past_end_body="这个搜索没有这么多页。",
    first_page="回到第一页",
    tip_filters="放宽或去掉筛选",
    tip_away="去掉一个“不要”的词或图片",
    tip_words="换一种说法，描述看得见的东西",
    without_filters="去掉筛选再找",
    start_over="重新开始",
    empty_title="图库还是空的",
    empty_body="先为你的图片文件夹建立索引，在终端里运行：",
    empty_after="完成后刷新这个页面。PATH 换成图片所在的文件夹。",
    copy="复制",
    copied="已复制",
    error_title="这次没有成功",
    misunderstood_title="没有看懂这个搜索",
    retry="重试",
    request_id="请求编号 {id}",
    close="关闭",
    download="下载原图",
    original="打开原图",
    downloading="正在取原图…",
    download_too_large="原图有 {size}，太大，无法经页面下载。请在文件夹里打开它。",
    copy_name="复制文件名",
    folder="文件夹",
    taken="拍摄时间",
    taken_by_name="拍摄时间（据文件名）",
    modified="修改时间",
    camera="相机",
    dimensions="尺寸",
    file="文件",
    tags="标签",
    palette="主色",
    place="位置",
    has_gps="含有拍摄地点",
    similar="最相似的图片",
    all_similar="查看全部",
    previous_picture="上一张",
    next_picture="下一张",
    gone_title="打不开这张图片",
    just_now="刚刚",
    minutes_ago="{n} 分钟前",
    hours_ago="{n} 小时前",
    days_ago="{n} 天前",
    updated="{ago}更新",
)

EN = Strings(
    html_lang="en",
    title="xuntu",
    subtitle="寻图",
    picture_count="{n} pictures",
    placeholder="Say what is in it, or drop or paste a picture; a minus means without: mountains -people",
    placeholder_short="What is in it? A minus means without",
    search="Search",
    search_label="Search pictures",
    query_help='Describe the picture in English or Chinese, also what is not in it: "without people". A minus before '
    'a word steers away from it too: mountains -people, or -"red car". Press / to come back here.',
    add_picture="Search with a picture",
    drop_here="Let go to search with this picture",
    drop_hint="Or drop a picture anywhere on the page, or paste one",
    remove="Remove {what}",
    clear="Clear all",
    weight="weight {weight}",
    without="without {what}",
    read_literally="Search these words as they are instead",
    literal="Words as they are",
    kinds={
        "date": "Date",
        "place": "Place",
        "quoted": "As it stands",
        "file": "File name",
        "code": "Number",
        "video": "Kind",
    },
    read_plainly="Read it as what a picture shows",
    plain="“{what}” as what a picture shows",
    only="Only these",
    your_picture="your picture",
    picture_lost="picture not here",
    upload_note="Your picture stays in this browser session; the link does not carry it.",
    upload_lost="The picture of this search did not travel with the link. Please drop it here once more.",
    upload_lost_title="A picture is missing",
    upload_unreadable="This does not look like a picture, or it is over 20 MB. Try a JPEG, PNG or WebP.",
    upload_failed="The picture did not arrive whole. Please try again.",
    theme="Switch between light and dark",
    language="Language",
    match="Look at",
    match_help="Look at everything, at what the pictures show, or at words in them, in captions, tags and names",
    matches={"auto": "Everything", "vector": "Pictures", "text": "Words"},
    look_at_pictures="Look at the pictures instead",
    look_at_words="Look at the words instead",
    tip_match="Only captions, tags and names are looked at now; look at the pictures too",
    filters="Filters",
    filter_kind="Kind",
    filter_shape="Shape",
    filter_colour="Colour",
    filter_format="Format",
    filter_width="Width",
    filter_taken="Taken",
    filter_folder="Folder",
    folder_hint="such as 2024/trips/",
    date_from="From",
    date_to="To",
    since="since {day}",
    until="until {day}",
    any_width="Any",
    at_least="≥ {n} px",
    filter_duplicates="Duplicates",
    hide_duplicates="Hide duplicates",
    folded="Hides {n} duplicates",
    filter_sure="Relevance",
    sure="Relevance ≥ {n}%",
    sure_seen="Checked on things that it was not fitted on: of hits from 50%, {n}% were right.",
    media={"picture": "Pictures", "video": "Videos"},
    shapes={
        "landscape": "Landscape",
        "portrait": "Portrait",
        "square": "Square",
        "panorama": "Panorama",
    },
    colours={
        "black": "Black",
        "grey": "Grey",
        "white": "White",
        "red": "Red",
        "orange": "Orange",
        "yellow": "Yellow",
        "green": "Green",
        "cyan": "Cyan",
        "blue": "Blue",
        "purple": "Purple",
        "pink": "Pink",
        "brown": "Brown",
    },
    welcome_title="Which picture are you looking for?",
    welcome_body="Say what is in it, or show one that looks like it.",
    examples_label="Try",
    examples=(
        "a lake below snowy mountains",
        "city lights at night",
        "a cat looking at the camera",
        "a cup of coffee on a table",
        "sunset by the sea -people",
    ),
    sample_query="a photo",
    sample_label="A few pictures from this library",
    filters_wait="The filters apply once you search.",
    found_first={
        "auto": "Best first · {ms} ms",
        "vector": "Nearest first · {ms} ms",
        "text": "Best matching words first · {ms} ms",
        "both": "Best in picture and words first · {ms} ms",
    },
    shown="{first}–{last} of {total}",
    shown_without_duplicates="{first}–{last} of {total}, with hidden duplicates",
    score="Similarity {score}",
    relevance="Relevance {n}%",
    likelihoods={"likely": "Likely", "maybe": "Maybe", "unlikely": "Unlikely"},
    no_match_title="No good match",
    no_match_body="No picture reaches a relevance of {n}%.",
    nearest_label="The nearest pictures",
    any_relevance="Any relevance",
    more_like="More like this",
    less_like="Less like this",
    previous="Previous",
    next="Next",
    open_picture="Open {name}",
    part="Part {n} of {count}",
    play_from="Play from {time}",
    play_clip="Play the clip",
    fetching_film="Fetching the video…",
    not_played="Browsers do not play this kind of video. Download the file to watch it.",
    film_too_large="This video is too large to pass through the page. Open it from its folder.",
    moments="Moments in it",
    duration="Duration",
    part_of="part of {name}",
    crop="Search with a part",
    crop_hint="Drag over the picture to draw the part to look for",
    crop_box="The part to look for. Arrow keys move it, Shift and arrow keys resize it, Enter searches, Escape leaves",
    crop_search="Search with this part",
    cancel="Cancel",
    found_by="Why it was found",
    found_here="Found here",
    found_in={
        "caption": "Caption",
        "caption_en": "Caption by a machine",
        "caption_zh": "Caption by a machine",
        "label": "Label",
        "label_names": "Label",
        "tag": "Tag",
        "name": "Name",
        "ocr": "Text in the picture",
        "taken": "Date",
        "place": "Place",
        "kind": "Kind",
        "picture": "Picture",
    },
    looks_like="looks like it",
    is_video="video",
    yes="Yes",
    no_preview="No preview",
    nothing_title="No picture fits",
    nothing_body="No picture of the library meets all of these conditions.",
    past_end_title="Nothing further",
    past_end_body="This search does not have that many pages.",
    first_page="Back to the first page",
    tip_filters="Loosen the filters, or take one away",
    tip_away="Remove a word or picture you asked to avoid",
    tip_words="Say it another way: name what can be seen",
    without_filters="Search without filters",
    start_over="Start over",
    empty_title="The library is empty",
    empty_body="Index your picture folder first. In a terminal, run:",
    empty_after="Then reload this page. PATH is the folder your pictures are in.",
    copy="Copy",
    copied="Copied",
    error_title="That did not work",
    misunderstood_title="That was not understood",
    retry="Try again",
    request_id="Request {id}",
    close="Close",
    download="Download",
    original="Open original",
    downloading="Fetching the original…",
    download_too_large="The original is {size}, too large to pass through the page. Open it from its folder.",
    copy_name="Copy name",
    folder="Folder",
    taken="Taken",
    taken_by_name="Taken (by its name)",
    modified="Modified",
    camera="Camera",
    dimensions="Dimensions",
    file="File",
    tags="Tags",
    palette="Colours",
    place="Place",
    has_gps="Place recorded",
    similar="Most similar",
    all_similar="See all",
    previous_picture="Previous picture",
    next_picture="Next picture",
    gone_title="This picture cannot be opened",
    just_now="just now",
    minutes_ago="{n} min ago",
    hours_ago="{n} h ago",
    days_ago="{n} d ago",
    updated="updated {ago}",
)


def labels(lang: str) -> Strings:
    """Return the words of a language; English for any that is not Chinese."""
    return ZH if lang == "zh" else EN


def choose_lang(asked: str, locale: str | None) -> str:
    """Return the language to show: the one asked for in the URL, else the browser's, else English."""
    if asked in LANGS:
        return asked
    return "zh" if (locale or "").lower().startswith("zh") else "en"
