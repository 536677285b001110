"""The words by which an English text negates, and those that only look like it.

"no" and "not" count only before something that can be seen: not in "no parking", "no. 1" or "not only", and not inside
of a word with hyphens ("no-bake", "forget-me-not").

All patterns are for folded text: lower case, half width, straight quotation marks (see `fold_text`).
"""

import re

from api.search.negation.cuts import QUOTED


def _any_of(words: str) -> str:
    return "|".join(words.split())


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FORBIDDEN = _any_of(  # no ...ing
    "park smok swim fish trespass stopp stand enter div litter loiter camp hunt dump overtak wait eat drink text talk "
    "climb skateboard cycl bik runn solicit photograph spitt honk cook burn hawk vap cross feed touch turn ski"
)
_UNSEEN_AFTER_NO = _any_of(
    "entry exit u-turn turn turns left right through access admittance admission outlet vacancy vacancies signal "
    "service internet connection problem doubt way matter more longer time end return escape fear limit limits mercy "
    "idea comment thanks thank regrets pain gain guts glory war sweat rush such good use place chance wonder deal "
    "worries need kidding go name country man's mans evil no fewer less brainer filter context image results data show "
    "sew pull heat contact mow step"
)
_UNSEEN_AFTER_NOT = _any_of(
    "only just yet bad far so to too very for sure allowed found available guilty equal even necessarily enough "
    "applicable working responding permitted really much many always quite safe included unlike all every that be now "
    "today least"
)
_UNSEEN_AFTER_WITHOUT = _any_of("word end borders fail question permission limit limits reason exception delay")

LITERAL = re.compile(
    rf"""
    \b(?:
        no\s+(?:{_FORBIDDEN})\w*ing\b | no\s+(?:{_UNSEEN_AFTER_NO})(?![\w'-]) | no\s*[.\d\#] | no\s+[a-z]$
      | no\s+\w+ing\s+(?:signs?|areas?|zones?)\b | no\s+(?:[\w']+\s+){{1,2}}(?:allowed|zone|policy|symbol)\b
      | (?<!with\s)(?<!has\s)(?<!have\s)(?<!is\s)(?<!are\s)
        no\s+(?:(?!and\b|but\b|with\b|in\b|on\b|at\b)[\w'-]+\s+){{1,6}}?(?:sign|symbol)\b(?!\s+of\b)
      | (?:yes|say|says|said|dr|mr|just)\.?\s+(?:or\s+)?no\b
      | (?:with\s+(?:or|and)|not|never)\s+without\b | not\s+that\s+there(?:'s|\s+is|\s+are)\s+no\b
      | not\s+(?:{_UNSEEN_AFTER_NOT}|at\s+all)\b | not(?=-)
      | (?:is|are|was|were)n'?t\s+(?:it|he|she|they|this|that|these|those|we|you)\b
      | all\s+but\s+one\b | except\s+\w+\s+sign\b
      | (?:or|why|if|whether|could|would|should|must|can|will|shall|may|might|do|did)\s+not\b
        (?!\s+(?:want|show|include))
        # What is written or said
      | (?:says?|saying|said|reads?|reading|written|labell?ed|called|titled|named|(?:the|with)\s+words?)
        \s+(?:no|not|without|do|don't|dont)\b[^,;]*
      | ^without\s+words\b
      | without\s+(?:{_UNSEEN_AFTER_WITHOUT}|(?:a\s+)?(?:doubt|cause|trace|fight|word|warning))\b
      | plus\s+(?:or\s+)?minus\b | minus\s+(?:sign|symbol|one|two|three|ten|\d) | free\s+of\s+charge
      | other\s+than\s+that | instead\s+of\s+(?:that|this) | nothing\s+but
    )
    """,
    re.VERBOSE,
)

_COLOURS = _any_of("red orange yellow green blue purple violet pink black white gr[ae]y brown beige gold silver")
_PARTS = _any_of(  # what pictures should often be without
    "people persons? humans? crowds? tourists? text words captions? subtitles? watermarks? logos? backgrounds? "
    "shadows? clouds? cars? traffic clutter"
)
_WHICH = r"(?:(?:that|which|who)\s+)?"
_SHOW = _any_of("have has having contain contains containing show shows showing include includes including featuring")
NEGATOR = re.compile(
    rf"""
    (?<![\w'-])(?:(?:but|and|yet|though|please|pls)\s+){{0,2}}+
    (?: (?P<no> {_WHICH} (?:there(?:'s|\s+is|\s+are)\s+|(?:{_SHOW}|with|wearing)\s+)? no(?!\s+(?:one|body)\b))
      | {_WHICH} (?:(?:do|does|did)(?:\s+not|n'?t)|not|never) \s+ (?:show\s+me|{_SHOW}|want(?:\s+to\s+see)?|with)
      | {_WHICH} (?:do|does|did)(?:\s+not|n'?t) (?=\s+(?:wear|hold|carry|look|face|smile))
      | {_WHICH} (?:is|are|was|were)(?:\s+not|n'?t) | (?:that|which|who|it)'s\s+not | not
      | {_WHICH} (?:(?:is|are|has|have|with|wearing)\s+)? neither(?!\s+(?:nor|of)\b)
      | (?:hardly|barely|scarcely|never)(?=\s+any\b) | with\s+zero
      | (?:(?<![^,;.(])|(?<=[,;.(]\s)|(?<=please\s)) (?:remove|avoid|omit|hide|skip|leave\s+out|stop\s+showing)
        (?=\s+(?:the|any|all|{_PARTS})\b)
      | without(?:\s+(?:showing|including|seeing))? | w/o(?:ut)? | except(?:\s+for)? | exclud(?:ing|e|es) | minus
      | (?:other|rather)\s+than | instead\s+of | (?<!break\s)(?<!breaks\s)(?<!set\s)free\s+(?:of|from) | devoid\s+of
      | {_WHICH} lack(?:s|ing) | (?:anything|everything|all)\s+but
    ) (?=\s)
    """,
    re.VERBOSE,
)
MINUS = re.compile(rf"(?<!\S)[-−](?:(?P<quoted>{QUOTED}+)|(?P<word>[^\W\d][^\s,;]*))")
NOBODY = re.compile(
    r"""
    (?<![\w'-]) (?P<led>(?:there(?:'s|\s+is)|with|has)\s+)?
    (?P<thing>nobody|no[\s-]one)
    (?(led) (?!\s+(?:but|except|else|knows)\b)
      | (?=\s+(?:in|on|at|around|inside|outside|near|there|visible)\b|\s*$) )
    """,
    re.VERBOSE,
)
LESS = re.compile(  # watermark-free, cloudless, non-floral; most such words are names of things: sugar-free, wireless
    rf"""
    (?<![\w-])
    (?: (?P<part>{_PARTS})-free | (?P<loose>watermark|clutter|crowd)\s+free(?!\s+(?:download|of|from)\b)
      | (?P<bare>cloud|tree|leaf|snow|beard|text|logo|people|crowd)less
      | non-(?P<sort>{_COLOURS}|floral|leather|wooden|transparent|striped|patterned|cartoon|anime|human) )
    (?![\w-])
    """,
    re.VERBOSE,
)

DETERMINER = re.compile(r"\s*(?:(?P<article>(?:a\s+single|an?|the)\s+)|(?:any|some|visible|signs?\s+of)\s+)*")
WORD = re.compile(r"\s*([^\s,;.!?:()\[\]|/]+)")
ARTICLES = _set_of("a an the one two three his her their its")

# Where a thing ends: before other clauses and prepositions, and before verbs as they stand in descriptions of pictures.
STOPS = _set_of(
    "but while though however yet with only then because who which whose where when if so that's visible shown in on "
    "at by during near under beside beneath behind from for over against next through along around above below inside "
    "outside into across between among as nearby are is runs walks climbs rides stands sits jumps leaps plays poses "
    "performs holds looks lies lays does uses begins swims flies sleeps smiles skateboards please"
)
DOING = re.compile(
    r"(?!(?:any|some|every|no)thing|cloth|build|paint|light|ceil|rail|writ|letter|earr|even|morn|fenc|wedd|park|swimm|din)"
    r"\w{3,}ing$"
)

# What those do of whom there are none belongs to them: no children playing.
DOERS = re.compile("(?:people|persons?|children|kids|humans|tourists|crowds?|men|women|cars|anyone|anybody)$")
PART = re.compile(f"(?:{_PARTS})$")
DONE = re.compile(r"\w+(?:ed|ing)$")

AND = re.compile(r"\s*(?:,\s*(?:(?:n?or|and)\s+)?|\s(?:n?or|and)\s+)")
LIST = re.compile(r"(?:\s*,\s*(?:[\w'-]+\s+)?[\w'-]+)*\s*,?\s+n?or\s")  # the rest of "people, cars or text"
SEEN = re.compile(  # where something would be seen; belongs to what is negated
    r"""
    (?:\s+(?:(?:is|are)\s+)?
      (?: visible|shown|showing|present|anywhere|around|nearby|please | at\s+all | in\s+(?:sight|view)
        | (?:in|on)\s+(?:it|them) | in\s+(?:the\s+)?(?:picture|photo|image|frame|shot|scene|background|foreground)
        | on(?=\s*(?:[,.;]|$)|\s+(?:is|are|\w+ing)\b) )(?!\w)
    )+
    """,
    re.VERBOSE,
)
