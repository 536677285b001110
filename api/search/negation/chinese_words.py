"""The words by which a Chinese text negates, and those that only look like it.

Most words that hold 不, 没, 无, 非, 别 or 除 negate nothing (不锈钢, 淹没, 无人机, 非洲, 别墅, 除夕). So 不, 无, 非 and
别 count only before words that make them a negation of something to be seen, and 没 everywhere but in the words of
LITERAL. A segmenter with a dictionary knows more words, but takes longer to load than a whole search.

All patterns are for folded text: lower case, half width, Simplified (see `fold_text`).
"""

import re

_MARKS = r"\s,。.;!?|/:()\[\]【】…~"
MARK = re.compile(f"[{_MARKS}]")

LITERAL = re.compile(
    r"""
    (?P<asked>\w)[不没]有?(?P=asked)  # 是不是, 有没有: questions
    # What is written or said
  | (?:写着|写有|写了|印着|印有|标着|刻着|喊着|说着|名为|叫做|歌名|书名)[^\s,。;]*
    # Negated twice, and so not at all; or everything, or hardly
  | 不[能可]没有? | [离少缺]不[了开得] | (?:不是|并非)没有 | 没有?不 | 无[人处所]?不 | 无一不 | 不是不
  | 什么[都也]没 | [谁哪][^\s,。;]{0,3}[都也]没 | 不是(?:很|太|非常|那么|特别) | 不是[^\s,。;]+[就便]是
    # 没 that is read mò
  | [淹沉埋出隐吞湮覆泯辱浸]没 | 没(?:落(?![叶地下雪款])|收(?!拾)|[顶膝胫世齿药]|骨画|过[头顶膝腰]|食子|没无闻)
    # Of what cannot be seen
  | 没有?(?:关系|问题|办法|意思|意义|尽头|止尽|边际|终点|名字|想|多久|几|比|(?:事|法|什么)$)
  | 没有?什么(?:关系|事|用|意思|大不了|不)
  | 没(?:完|用|错|辙|劲|趣|准|戏|谱|治|影(?!子)|了|得|救(?!生)|电(?![线视梯脑话灯])|空(?!调)|说|礼貌|经验|心眼)
  | 没(?:水[平准]|分寸|眼看|一撇|出息|脾气|精打[采彩]|头没脑|头没脸|头苍蝇|大没小|日没夜|心没肺|轻没重|深没浅)
  | 没(?:羞没臊|上没下|亲没故|脸没皮|[事门命底品种]儿?$)
  | 不要(?:紧|脸|命|钱|理由) | 不需要理由 | 不看(?:好|僧面) | [看听]不 | 不露[天水] | 不抱(?:希望|幻想)
  | 不打(?:紧|自招|不) | 不是(?:吗|么|话|东西|滋味|味儿)
  | 别有(?:洞天|用心|风味|一番|天地|情趣|韵味|情调) | [荒杳渺]无人烟 | 万里无云 | (?:目中|旁若|后继)无人
  | 除非 | 除此 | 排除(?:万难|故障|障碍|险情)
    """,
    re.VERBOSE,
)

# Kinds of negation. What `state` negates keeps its verb (没戴眼镜: 戴眼镜), and `thing` is all that 无 and 非 reach.
KINDS = ("want", "have", "state", "be", "class", "drop")
_UNWANTED = r"""
    不(?:想要|想看到?|希望(?:有|看到|出现)|需要|要)
  | (?<![特区性级告离类分识辨个派道])别(?:要|(?=有|带|出现|拍到|放))"""
_ABSENT = r"没有 | 没 | 不(?:含有?(?!糊)|包含|包括|带有?(?![子电劲])|出现|显示) | 空?无一(?=人)"
_STATE = r"""
    不(?: (?=[戴穿系拿背抱骑坐站躺笑哭看跑飞睡扎盖]|佩戴|[打撑]伞|化妆|[抽吸]烟)
        | (?=留(?:胡|长发|头发|刘海)|开[灯花]|下[雨雪]|结冰)
        | (?=露[脸肩腿肉牙齿手头身背正]|在[^\s,。;]{1,8}[里上中下旁边内外前后间]) )
  | 未(?=[戴穿系撑盖铺]|佩戴|打伞|化妆|开花)"""
_THINGS = r"""
    水印|文字|字幕|人物|行人|路人|人脸|边框|白边|黑边|遮挡|阴影|马赛克|广告|车辆|logo|标志|商标|背景
  | [人云字雪车]"""
_AFTER_THING = rf"""
    $ | [{_MARKS}、和或与的没无不] | 图|照|壁纸|素材|版本|风景|街|海[滩边面]|沙[滩漠]|教室|公园|广场|房间|山[谷顶]
  | 湖|森林|车站(?![着在])|站台|小巷|雪地|草原|公路|马路|道路|走廊|天空|蓝天|在"""
_SORTS = "黑白|彩色|人像|人物|人类|卡通|动漫|漫画|动画|手绘|自拍|室内|室外|户外|夜景|ai生成|ai|截图"
_CLASS = rf"""
    (?:(?<!安)[毫全绝])?无(?=(?P<thing>{_THINGS}) (?:{_AFTER_THING}))
  | 非(?=(?P<sort>{_SORTS}) (?:$|[{_MARKS}、和或与的]|图|照|版|作品|风格))"""
NEGATOR = re.compile(
    rf"""
    (?:请|千万|一定|最好|绝对|完全|根本|从来|几乎|并且?|而且?|但是?|可是|且|还|也|又|丝毫)*
    (?: (?P<want>{_UNWANTED}) | (?P<have>{_ABSENT}) | (?P<state>{_STATE}) | (?P<be>不是(?![我你他])|并非)
      | (?P<class>{_CLASS}) | (?P<drop>(?<![^{_MARKS}])(?:去掉|排除|剔除|除去|过滤掉)) )
    """,
    re.VERBOSE,
)

# What stands between a negation and the thing, and says nothing of it.
VERB = re.compile(r"\s*(?:(?:出现|带有|含有|包含|看到|看见|拍到|露出|有(?![机轨色])|带(?![子鱼状])|含(?![羞笑]))\s*)?")
DETERMINER = re.compile(
    r"(?:任何|什么|半[个点]|一?个|一[只辆张条片些点位棵朵座把件顶双套幅瓶杯名群种匹头根本台架艘])(?=.)"
)

# Where a thing ends at the latest.
STOP = re.compile(
    rf"""
    [{_MARKS}] | 不过|但|却|而是?|只[有要想看留]|同时|然后|(?<![需重主想必摘])要(?![塞点闻素求])
  | (?<![坐站躺放挂停走睡靠趴蹲骑飞游跑写画贴住倒])正?在 | [站坐躺走跑跳骑飞游睡趴蹲][在着过进向到于]
  | {NEGATOR.pattern}
    """,
    re.VERBOSE,
)
ADJECTIVE = re.compile(
    r"""
    (?:[很太最]|非常|特别|比较)?
    (?: [深浅]?[红橙黄绿青蓝紫黑白灰粉棕褐金银]色? | 彩色|[深浅]色|黑白 | [大小高矮长短新旧老胖瘦圆方脏破]
      | 年轻|模糊|明亮|昏暗|卡通|动漫 | [他她它我你]们? )
    """,
    re.VERBOSE,
)
ACTION = re.compile("[戴穿拿背抱骑坐站躺打]")
AND = re.compile(r"、|以及|或者?|还有|(?<![饱暖温柔共缓总附平谦祥])和(?![服平尚牛风室谐田面果弦])|(?<!参)与(?!众)")
SIGN = re.compile(  # 不要停车牌 is a thing; 不要广告牌 does without one
    r"(?<=..)(?:(?<![广路招车门站名金银吊])牌子?|标志|标识|标语|告示|警示|字样)(?:的?(?:照片|图片|图))?$"
)

_NOT_A_VERB = "(?<![排清扫拆废解根消去免删])"  # 排除, 清除 ...
EXCEPT = re.compile(
    rf"""{_NOT_A_VERB}
    (?: 除[了去开](?P<named>[^{_MARKS}]{{1,16}}?)
        (?:以外|之外|外(?![国套卖星婆科墙景面]) | (?=[{_MARKS}的都全]|$|其[他它]))
      | 除(?P<outside>[^{_MARKS}]{{1,16}}?)(?:以外|之外) )
    """,
    re.VERBOSE,
)
OTHERS = re.compile(r"[的,\s]*(?:(?:都|全部?|所有|其[他它]|别的|任何)的?(?![市城]))*")
ALSO = re.compile("[还也又更]")  # 除了猫还有狗: the cat is there too
ALSO_AFTER = re.compile(r"[,\s]*[还也又更并]")
