"""What kind of thing an instruction asks for: open rules over its words and its shape, asked in a fixed order.

The rules know the usual verbs of English and some of German, French, Spanish, Italian, Portuguese, Dutch and Chinese.
What they do not know is "other"; they are right often enough to see what a data set is made of, not for single rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from tutelage.data.exchange import unit
from tutelage.records import Conversation, Example, Role

CLASSIFY, QUESTION, ABOUT, OTHER = "classify", "question", "question on a text", "other"
TOLD = {QUESTION: ABOUT, OTHER: ABOUT, "explain": ABOUT, "advise": ABOUT, "support": ABOUT, "list ideas": "extract"}
"""What these kinds become where a text is given with the request."""
HEAD, TAIL = 400, 240
"""What is asked for stands in so many characters at the start of an instruction, or at its end."""
ASKING = 80
"""A paragraph of up to so many words can be what is asked for; a longer one is a text that something is asked about."""
ENOUGH = 4
"""A first message of fewer words ("Hello!") is read together with the next."""
PASSAGE = 25
"""So many words beside what is asked for are a text of its own."""
WORDED = 120
"""A sum told in words is not longer."""
LABEL_WORDS, LABEL_TIMES = 4, 5
"""An answer of so few words that so many conversations share is a label."""
LABELS_ONLY = 0.9
"""Data of which such a share are short answers may be nothing but labels."""

_ASKED = (
    r"(?:^|[.!?:;,\n\"“”)]\s*|\b(?:please|kindly|(?:can|could|will|would|must|should) you"
    r"|you (?:will|must|should|need to)|(?:asked|task is|want you|like you|need you|expected|help me)(?: to)?"
    r"|me|us|then|just|bitte|veuillez|por favor)\s+)"
)
_GREETING = r"(?:hi|hello|hey|yo|hallo|hola|bonjour|salut|ciao|good (?:morning|evening|day)|guten tag|thanks|thank you)"


def _verbs(names: str) -> str:
    """Verbs where something is asked for: at the start of a sentence, or after please, to, can you …"""
    return rf"{_ASKED}(?:{names})\b"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_TRANSLATE = _any(
    r"\btranslat(?:e|ion|ing)\b", r"\bübersetz", r"\btradu(?:ire|is|isez|ction|ce|cir|zca|zir|za)\b", r"\bvertaal",
    "翻译", "译成", r"\bhow (?:do|would) (?:you|i) say\b.{0,60}\bin [A-Z]",
)  # fmt: skip
_SUMMARISE = _any(
    r"\bsummar(?:y|i[sz]e|i[sz]ing|ies)\b", r"\btl;?dr\b", r"\bin (?:one|two|three|a few) (?:sentences?|bullets?)\b",
    r"\b(?:two|three|four|five) bullets\b", r"\bzusammenfass|\bfass(?:e|en)\b.{0,80}\bzusammen", r"\brésum",
    r"\bresum(?:e|en|ir|a)\b", r"\briassum", r"\bsamenvat", "总结", "概括",
    _verbs("condense|shorten|give (?:me )?(?:a|the) (?:gist|headline|title)|boil|sum up"),
)  # fmt: skip
_CODE = _any(
    r"\b(?:python|javascript|typescript|java|c\+\+|sql|html|css|bash|regex|regular expression|rust|golang|kotlin|"
    r"php|ruby|pandas|numpy|dockerfile|git|leetcode)\b", "```",
    r"\b(?:def|class|return|import|select|function)\b.{0,40}[(){};]",
    r"\b(?:code|script|program) (?:that|to|which|for|in)\b", r"\b(?:debug|refactor|unit test|stack trace|compile)\b",
    r"\bwrite a (?:function|program|script|query)\b",
)  # fmt: skip
_REWRITE = _any(
    _verbs(
        "re-?write|rephrase|paraphrase|re-?word|reformulate|correct|proof-?read|edit|polish|fix|simplify|improve|"
        "replace|convert|transform|change|modify|expand|continue|complete|fill in|turn (?:this|the|it|these)|"
        r"make (?:this|it|the) (?:\w+ ){0,2}(?:more|less|sound|polite|formal|shorter|friendlier|longer|simpler)|"
        r"sort|reverse|format|reorder|arrange|tidy|put|negate|umschreiben|schreib\w* .{0,60}\bum|formulier\w*|"
        r"korrigier\w*|réécri\w*|reformul\w*|corrige\w*|reescrib\w*|reescrev\w*|corrig\w*|riscriv\w*|herschrijf"
    ),
    r"\b(?:grammar|grammatical|spelling) (?:errors?|mistakes?)\b", r"\bparaphras", "改写", "润色",
)  # fmt: skip
_CLASSIFY = _any(
    r"\bclassif(?:y|ied|ication)\b", r"\bcategori[sz]e\b", r"\bwhich (?:category|class|label|genre|topic)\b",
    r"\bsentiment\b", r"\btrue or false\b", r"\byes or no\b", r"\bspam\b", r"\bpositive or negative\b",
    r"\bpositive, negative\b", r"\bfactual statement\b", r"\bclaim true\b", r"\boptions?:",
    r"\bselect the (?:option|most|best|correct|one)\b", r"\bchoose (?:the|one|between|from)\b",
    r"\b\(?a\)?[.)] .{1,200}\b\(?b\)?[.)] ", r"\b(?:multiple.choice)\b", r"\bodd one out\b",
    r"\bklassifizier|\bordne\b", r"\bclasse[rz]?\b.{0,40}\bcatégor",
    _verbs(
        "rate|label|tag|grade|rank|decide (?:if|whether)|determine (?:if|whether)|judge|tell (?:me )?(?:if|"
        "whether)|detect|group|divide|separate|say (?:if|whether)|indicate (?:if|whether)|verify|check (?:if|"
        r"whether)|(?:identify|tell me) (?:which|if|whether)[^,]{0,60}\bor\b|sort (?:these|"
        "the following) .{0,40}into|predict"
    ),
    r"\bis (?:this|the following|it) (?:\w+ ){0,4}(?:or|correct|true|valid)\b",
    r"\banswer (?:with )?['\"]?(?:yes|no|true|1)\b", "分类", r"\bclasifica",
    r"\bfollowing (?:is|are|as) (?:an? )?\w+ or\b",
)  # fmt: skip
_EXTRACT = _any(
    _verbs(
        "extract|pull out|pick out|find (?:all|the|every|any)|locate|spot|collect|get (?:all|the)|list (?:all|"
        "the|every) .{0,60}(?:mentioned|in the|from the)|identify (?:the|all|any|each)|highlight|parse"
    ),
    r"\b(?:named entit|key ?words|key ?phrases|dates|names) (?:from|in|mentioned)\b",
    r"\b(?:from|in) the (?:passage|text|paragraph|article|sentence|reference text|context|input|mail|email|"
    r"message)\b.{0,60}\b(?:extract|list|identify|find|give)\b", r"\bas json\b", r"\bjson\b.{0,40}\bkeys?\b",
    r"\bextrahier|\bextrai|\bextrae|\bestrai|\bhaal\b.{0,60}\buit\b", "提取", "抽取",
    r"\blist\b.{0,80}\b(?:comma.separated|bulleted|from (?:the|this))\b",
)  # fmt: skip
_WRITE = _any(
    _verbs(
        "write|compose|draft|create|generate|craft|author|design|invent|make up|pen|build|come up with (?:a|"
        r"an) (?:story|poem|slogan|joke|name|title|riddle|rap)|produce|make (?:a|an|up)|schreib\w*|dichte\w*|"
        r"verfass\w*|écri[st]\w*|rédige\w*|escrib\w*|escrev\w*|redacta\w*|scriv\w*|schrijf"
    ),
    r"\b(?:tell|give) me a (?:\w+ ){0,2}(?:story|joke|poem|riddle|haiku|limerick)\b",
    r"\b(?:haiku|limerick|sonnet|short story|cover letter|tweet|slogan)\b", "写一", "作文",
)  # fmt: skip
_LIST = _any(
    _verbs(
        "list|name|brainstorm|suggest|recommend|enumerate|propose|think of|come up with|provide (?:a list|some|"
        r"\d+|three|five|ten)|give (?:me |us )?(?:a |the )?(?:some|list|few|\d+|two|three|four|five|six|ten|"
        r"examples?|ideas?|names?|suggestions?)|nenn\w*|cite[zr]?|nomme[zr]?|enumer\w*|elenca\w*|noem"
    ),
    r"\bwhat are (?:some|the (?:top|best|most|main|different)|\d+|two|three|four|five|ten|good|a few)\b",
    r"\b(?:ideas|suggestions|recommendations|examples) (?:for|of|to|on)\b", "列出", "列举",
)  # fmt: skip
_PLAY = _any(
    r"\b(?:pretend|imagine) (?:that )?(?:you|to be|we)\b", r"\bact as\b", r"\brole.?play",
    r"\byou are (?:a|an|now|the) (?!.{0,60}\b(?:support|service|assistant)\b)(?!given|asked)\w+",
    r"\bwrite a (?:dialogue|conversation)\b", r"\bstell dir vor\b|\bdu bist ein",
    r"\b(?:tu es|vous êtes|imagine que|eres un|fais comme)\b",
    r"\b(?:stay in character|in the voice of|speak like|talk like)\b", "扮演",
)  # fmt: skip
_CHAT = _any(
    rf"^\W*{_GREETING}\W*(?:there|everyone|you)?\W*$",
    r"\bwho (?:are you|made you|created you|built you|developed you|trained you)\b",
    r"\bare you (?:a|an|chatgpt|gpt|human|real|sure|ok|there)\b",
    r"\b(?:your name|yourself|about you|your (?:favou?rite|opinion|creator|developer|identity))\b",
    r"\bhow are you\b", r"^\W*(?:thanks?|thank you|danke|merci|gracias)\b", r"\bwhat can you (?:do|help)\b",
    r"\bcan we (?:talk|chat)\b", r"\b(?:i feel|i'm feeling|i am feeling|i'm so|i am so) \w+",
    "你好|您好|你是|你叫|你的名|你有|你能|您是|嗨|谢谢|自己|再见|早上好|下午好|晚上好",
)  # fmt: skip
_EXPLAIN = _any(
    _verbs(
        "explain|describe|define|discuss|compare|contrast|outline|elaborate|clarify|analy[sz]e|tell me (?:about|"
        r"how|why|what|more)|teach|walk (?:me|us) through|give (?:me )?(?:an|a) (?:\w+ )?(?:explanation|overview|"
        r"description|introduction|definition|analysis)|talk about|erklär\w*|beschreib\w*|expliqu\w*|décri\w*|"
        r"expli[cq]\w*|describ\w*|descrev\w*|spieg\w*|leg\b.{0,40}\buit|help me understand"
    ),
    r"\bwhat(?:'s| is| are) the differences?\b", r"\bwhat (?:is|are) .{0,60} and (?:how|why)\b",
    r"\bwhat does .{1,60} mean\b", r"\bhow does .{1,80} work\b", r"\bdifference between\b", r"\bwas bedeutet\b",
    "解释", "介绍", "说明",
)  # fmt: skip
_SUPPORT = _any(
    r"\bmy (?:\w+ ){0,2}(?:account|order|card|payment|password|subscription|booking|reservation|refund|ticket|"
    "delivery|transfer|invoice|appointment|profile|bill|plan|statement|transaction|top.?up|pin|balance|flight|"
    r"ride)\b",
    r"\b(?:refund|cancel|purchase|shipping|invoice|delivery|subscription|log ?in|sign ?up|top.?up|newsletter|"
    r"customer (?:service|support)|reset)\b",
    r"\b(?:i(?:'d| would) like|i want|i need|looking) to (?:book|reserve|schedule|report|order|change|check|view|"
    r"find a|make an? (?:appointment|reservation|booking))\b",
    r"\b(?:i|we) (?:can(?:'t|not)|couldn'?t|am unable|are unable|keep getting|get an error|have a problem|"
    r"had a problem)\b", r"\b(?:book|reserve|schedule) (?:a|an|the|me)\b",
    r"\b(?:isn't|doesn't|won't|not|stopped) work(?:ing)?\b",
)  # fmt: skip
_ADVISE = _any(
    r"\b(?:how (?:do|can|should|could|would|to)|what should|where (?:do|can|should)|should) (?:i|we|you|one|"
    r"someone|my)\b", r"\bhow to\b", r"\bwhat(?:'s| is) the best (?:way|thing)\b", r"\b(?:any )?(?:tips|advice)\b",
    r"\b(?:plan|itinerary|schedule|recipe|routine|steps) (?:for|to)\b",
    _verbs("plan|advise|recommend|help me"),
    r"\b(?:i want|i'd like|i would like|i need|i am trying|i'm trying) to\b",
    r"\bwie (?:kann|soll|mache) ich\b|\bwas soll",
    r"\bcomment (?:puis|faire|dois|je)\b|\bcómo (?:puedo|hago|debo)\b",
    r"\bcome (?:posso|faccio)\b|\bcomo (?:posso|faço)\b|\bhoe (?:kan|moet) ik\b", "怎么|如何",
)  # fmt: skip
_QUESTION = _any(
    r"\?", "？", "吗|什么|为什么|哪|谁|多少",
    r"^\W*(?:so |and |ok |well )?(?:what|who|whom|whose|when|where|which|why|how|is|are|was|were|do|does|did|can|"
    r"could|will|would|should|has|have|if)\b",
    r"^\W*(?:was|wer|wann|wo|warum|wie|welche\w*|que|quoi|qui|quand|où|pourquoi|comment|quel\w*|qué|quién|cuándo|"
    r"dónde|por qué|cuál|cosa|chi|quando|dove|perché|wat|waar|waarom|wie|hoe)\b",
    r"'s\b.{0,60}\bwh(?:at|o|en|ere|ich)\b|\bwh(?:at|o|en|ere|ich)s\b",
    _verbs("answer"),
)  # fmt: skip
_NUMBER = re.compile(
    r"\d[\d,.]*|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|half|twice|thrice|double|triple|third|quarter|zwei|drei|deux|trois|dos|tres)\b",
    re.IGNORECASE,
)
_AMOUNT = _any(
    r"\bhow (?:many|much|long|far|old|tall|fast|big|heavy|large|often)\b",
    r"\b(?:calculate|compute|solve|evaluate|simplify|factor|total|sum|average|percent(?:age)?|remainder|"
    r"probability|area|perimeter)\b",
    r"\bwhat (?:is|was|will be|would be|percent|fraction|time)\b|\bat what\b|\bfind the\b|\bhow .{1,40}\?",
    r"\bwie ?viele?\b|\bcombien\b|\bcuánt|\bquant[oi]\b|\bhoeveel\b|\bberechne\b|\bcalcul\w+\b", "多少|计算",
)  # fmt: skip
_SUM = _any(
    r"\d\s*[-+*/×÷^=]\s*\(?\d",
    r"\b(?:plus|minus|times|divided by|square root|equation|integral|derivative|prime)\b",
    r"\d+ ?%|\b\d+ percent of\b",
)  # fmt: skip


def instruction_of(conversation: Conversation) -> str:
    """What is asked: the first user turn, with the next ones where it says next to nothing."""
    said: list[str] = []
    for turn in conversation.turns:
        if turn.role is Role.USER:
            said.append(turn.text.strip())
            if unit(" ".join(said)) >= ENOUGH:
                break
    return "\n".join(said)


def request_of(instruction: str) -> str:
    """What is asked for, without the text that it is asked about: a short first paragraph, or a short last one."""
    parts = [part for part in instruction.split("\n\n") if part.strip()]
    request = instruction
    if len(parts) > 1 and len(parts[0].split()) <= ASKING:
        request = "\n".join((parts[0], parts[-1])) if len(parts[-1].split()) <= PASSAGE else parts[0]
    elif len(parts) > 1 and len(parts[-1].split()) <= ASKING:
        request = parts[-1]
    return request if len(request) <= HEAD + TAIL else f"{request[:HEAD]}\n{request[-TAIL:]}"


def is_maths(text: str) -> bool:
    """Whether a number has to be worked out."""
    if len(text.split()) > WORDED:
        return False
    numbers = len(_NUMBER.findall(text))
    return bool(_SUM.search(text)) or (numbers >= 2 and bool(_AMOUNT.search(text)))


def _seen(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: bool(pattern.search(text))


RULES: Mapping[str, Callable[[str], bool]] = {
    "translate": _seen(_TRANSLATE),
    "summarise": _seen(_SUMMARISE),
    CLASSIFY: _seen(_CLASSIFY),
    "extract": _seen(_EXTRACT),
    "code": _seen(_CODE),
    "rewrite": _seen(_REWRITE),
    "maths": is_maths,
    "act a part": _seen(_PLAY),
    "list ideas": _seen(_LIST),
    "write": _seen(_WRITE),
    "small talk": _seen(_CHAT),
    "explain": _seen(_EXPLAIN),
    "support": _seen(_SUPPORT),
    "advise": _seen(_ADVISE),
    QUESTION: _seen(_QUESTION),
}
"""Kinds by name with their rules over what is asked for, in this order; the first that says yes wins."""
KINDS = (*RULES, ABOUT, OTHER)


def kind_of(instruction: str) -> str:
    """The kind of one instruction; a question that comes with a text is one about that text."""
    request = request_of(instruction)
    name = next((name for name, asks in RULES.items() if asks(request)), OTHER)
    given = len(instruction.split()) - len(request.split()) >= PASSAGE
    return TOLD.get(name, name) if given else name


def labels(examples: Iterable[Example]) -> frozenset[str]:
    """Short answers that come again and again, one exchange each: what is asked for is a choice among them.

    Where nearly all answers are short and most of them come again, each short one is a label, however rare.
    """
    alone = [e.conversation.answer for e in examples if sum(turn.is_trained for turn in e.conversation.turns) == 1]
    times = Counter(answer for answer in alone if len(answer.split()) <= LABEL_WORDS)
    again = sum(count for count in times.values() if count > 1)
    only = times.total() >= LABELS_ONLY * len(alone) and 2 * again >= len(alone)
    return frozenset(answer for answer, count in times.items() if only or count >= LABEL_TIMES)


def kinds_of(examples: Sequence[Example]) -> list[str]:
    """The kind of each example. Where its answer is one of the set's labels, it is to be classified."""
    known = labels(examples)
    return [CLASSIFY if e.conversation.answer in known else kind_of(instruction_of(e.conversation)) for e in examples]
