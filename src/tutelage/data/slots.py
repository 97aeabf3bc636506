"""Places that nobody filled, dummy text that nobody replaced, and notes that an editor left in a text.

Every kind begins with a sign or a word of its own, which is looked for first: most texts have none of them.
"""

from __future__ import annotations

import re

from tutelage.data.exchange import word_set

_NOUN = (
    r"(?:(?:first|last|full|middle|user|file|family|brand|pet|job|project|event|street|company|product|customer|client"
    r"|recipient|sender|agent|manager|author"
    r"|business|account|order|invoice|ticket|tracking|phone|mobile|zip|postal|start|end|due|expiry|delivery|check-?in"
    r"|your|my|their|his|her|the|an?|any|this|some)"
    r"(?:['\u2019]s)?[ _-])*(?:names?|dates?|time|address|company|organi[sz]ation|number|no|id|e-?mail(?: address)?"
    r"|phone|telephone|city|town|state|country"
    r"|county|zip(?: ?code)?|code|url|link|website|amount|price|cost|currency|percentage|product|item|brand|model"
    r"|position|title|job|role|department|team"
    r"|recipient|sender|customer|client|user|agent|manager|author|signature|location|place|venue|event|topic|subject"
    r"|reason|details?|description"
    r"|text|content|quote|example|hobby|interest|skill|university|school|degree|course|age|gender|day|month|year|hours?"
    r"|duration|quantity|size|colou?r"
    r"|issue|problem|question|answer|value|variable|field|placeholder|blank|person|friend|relative|animal|object|noun"
    r"|verb|adjective|street|order"
    r"|invoice|ticket|account|password|username|service|industry|feature|benefit|salutation|greeting|image|photo"
    r"|picture|logo|table|figure|file"
    r"|employer|hotel|restaurant|destination|airline|flight|tracking|payment|method|policy|language|currency symbol)"
)
_DO = (
    r"(?:insert|your|enter|add|fill(?: in)?|type|choose|select|specify|provide|include|replace(?: with)?|put|write"
    r"|name of|date of|number of|list of)"
)
_SQUARE = re.compile(
    rf"\[\[?\s?(?:(?i:{_DO}\b[^\[\]\n]{{1,60}}|{_NOUN}(?:[ _/#-](?:\w+|{_NOUN})){{0,3}}(?:\s?(?:here|\d{{1,2}}|[A-Z]))?"
    rf"|\d?x{{1,6}}|\?{{2,}}|_{{2,}}|blank|placeholder)"
    r"|[A-Z]{3,}(?:[ _-][A-Z]{2,}){0,4}|(?:\.{3}|e\.g\. ?|i\.e\. ?)[^\[\]\n]{2,40}|[a-z]+(?:_[a-z]+){1,4}"
    r"|%[^\[\]\n]{1,40}%|#[^\[\]\n]{1,40}#)\s?\]\]?(?!\()"
)
_CURLY = re.compile(
    r"\{\{\{?[^{}\n]{1,60}\}\}|(?<![\w}\\$_^{])\{ ?[!$%#@]?[A-Za-z][A-Za-z]*(?:[ ._|-][A-Za-z0-9]+){0,4}"
    r" ?%?\}(?![\w{(])|(?<![\w\\$_^{},(:=|])(?<!= )\{\d\}(?![\w{(,])"
    r"|\{%[^{}\n]{1,60}%\}|\{#[^{}\n]{1,120}#\}"
)
_ANGLE = re.compile(
    rf"<<[A-Za-z][\w .-]{{1,40}}>>|<(?i:(?:insert|your|enter|add|name of|customer|company|order|the)["
    rf" _-][^<>\n]{{1,40}}|{_NOUN})>"
    r"|<[A-Z]{2,}(?:[ _-][A-Z]+){0,4}>|<[a-z]+(?:_[a-z]+){1,4}>|<%=?[^<>\n]{1,60}%>|<!--[^\n]{1,200}"
)
_ROUND = re.compile(
    rf"\((?i:(?:insert|enter|your|fill in|add|choose|type)[ _-](?:(?:the|your|an?|some|in|any|relevant|specific"
    rf"|appropriate) )*{_NOUN}(?: here)?|{_NOUN} here|blank|placeholder"
    r")\)|\((?:[A-Z]{2,} ){1,3}HERE\)|\((?:NAME|DATE|ADDRESS|COMPANY|TITLE|CITY|AMOUNT|PHONE|EMAIL|NUMBER|LINK|URL|name"
    r"|date|your name|company|company name|phone number|email address)\)(?!s)"
)
_DOLLAR = re.compile(
    r"\$\{[A-Za-z_][\w. ]{0,40}\}|(?<![\w$])\$(?:[A-Z]{2,}_[A-Z_]{2,30}|NAME|DATE|AMOUNT|USER|EMAIL"
    r"|COMPANY|PRICE|TITLE|CITY|ADDRESS|NUMBER)\b|(?<![\w$\\])\$[a-z][a-z_]{1,30}\$(?!\w)|\$\([A-Za-z_]\w{1,30}\)"
    r"|\$\$[A-Za-z_ ]{2,30}\$\$"
)
_PERCENT = re.compile(
    r"(?<![\w%])%%?[A-Za-z][A-Za-z_ ]{1,30}%%?(?![\w%])|%\([A-Za-z_]{1,30}\)[sdif]|(?<![\w%])%[sd](?!\w)"
    r"|(?<![\w%])%\d\$[sd]"
)
_OTHERS = re.compile(
    r"(?<!\w)__?[A-Z][A-Z_]{2,30}_?_(?!\w)|(?<!\w)__(?!init|main|name|str|repr|doc|dict|call|file|all|class|len|iter"
    r"|next|new|eq|hash)[a-z]+(?:_[a-z]+)*__(?!\w)|(?<!#)##?[A-Za-z][A-Za-z_ ]{1,30}##?(?![\w#])"
    r"|(?<![\w@])@@?[A-Z][A-Z_]{2,30}@@?(?!\w)"
    r"|\*\|[A-Za-z_:]{2,30}\|\*|\u00ab[A-Z]?[A-Za-z_]{2,20}(?:[ _][A-Z][a-z]{1,20}){0,2}\u00bb(?=[\s,.!:]|$)"
    r"|\|\|[A-Z][A-Z_ ]{2,30}\|\||~~?[A-Z][A-Z_]{2,30}~~?|\^[A-Z][A-Z_]{2,30}\^"
)
_BLANKS = re.compile(r"(?<![\w_`*])_{3,}(?![\w`*])|(?<=\w )\.{6,}(?= \w)|(?<=: )\.{5,}|\u2026{3,}")
_CROSSES = re.compile(
    r"\bX{4,}\b|\bX{3,}(?:[-/. ]X{2,}){1,4}\b|(?<!Bowl )(?<!Games )(?<!Olympiad )(?<!Part )(?<!Chapter )(?<!Volume"
    r" )(?<!Olympics )\bXXX\b|\bxxxx+\b|\bxx?x?[-/. ]xx?x?[-/. ]xx+\b|\bXX[-/.]XX[-/.]XX|\b(?:DD|MM)[-/.](?:MM"
    r"|DD)[-/.]YY(?:YY)?\b|\bYYYY-MM-DD\b|\b00/00/0000\b"
    r"|(?<=[$\u20ac\u00a3#])X{1,5}\b|(?<=[$\u20ac\u00a3#])x{2,5}\b|\bXX\b(?= (?:days?|hours?|minutes?|percent|dollars"
    r"|euros|years?|people|%))"
)
_WORDS = re.compile(
    rf"\b(?:(?:insert|enter|add|type|put)[ _](?:your[ _]|the[ _]|an?[ _]|some[ _])?(?:{_NOUN})[ _]here|your[ _](?:name"
    rf"|text|answer|company|e-?mail|link|content|image|title|address|logo|message|date)[ _](?:goes[ _])?here|(?:text"
    rf"|content|name|link|image|date) goes here"
    r"|first ?name last ?name)\b",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"\b(?:TODO|FIXME|TBD|TBC|TKTK|TK)\b(?!\s*(?:lists?|apps?|items?)\b)")
_DUMMY = re.compile(
    r"\b(?:lorem|ipsum|dolor sit|ipsam voluptatem|officia deserunt|deserunt mollit|id est laborum|voluptate velit|esse"
    r" cillum|cillum dolore|fugiat nulla|nulla pariatur|dolore magna|magna aliqua"
    r"|ut labore|ut enim ad|minim veniam|nulla facilisi|etiam non|id elit|mi porta|maecenas \w+ \w+|aenean \w+ \w+"
    r"|morbi \w+ \w+us|donec \w+ \w+|integer posuere|cras mattis|fusce dapibus|vivamus sagittis|nullam (?:quis|id)"
    r"|praesent \w+ \w+|sit amet|consectet\w+|adipisc\w+|eiusmod|incididunt|nostrud exercitation|ullamco|duis aute"
    r"|excepteur|occaecat|cupidatat"
    r"|sed ut perspiciatis|accusantium|doloremque|laudantium|neque porro|at vero eos|nemo enim ipsam|pellentesque"
    r"|suspendisse|sollicitudin"
    r"|vestibulum \w+ \w+(?:us|is|um|et|it|at)\b|curabitur \w+|aliquam erat|quisque \w+ \w+|blindtext|trapattoni|li"
    r" europan lingues|behind the word mountains"
    r"|hinter den wortbergen|dummy text|filler text|placeholder text|(?:text|content) coming soon)\b",
    re.IGNORECASE,
)
_TASK = (
    r"(?:todo|to do|fixme|fix (?:this|me|later)|tb[dca]|tk|wip|nb|note to \w+|(?:internal|private|side|review|editing"
    r"|author|reader) note|(?:editor|author|annotator|translator|reviewer|writer|labell?er|moderator|copyeditor"
    r"|admin)(?:['\u2019]?s)?(?: notes?| comments?)?(?= ?[:\u2013\u2014-])|ed(?:itor)?\.?(?: note)?:"
    r"|(?:fact|double|spell|cross)[- ]?check\w*(?: (?:this|that|it|with|the|needed|me|please))?|check (?:this|that|if"
    r"|with|whether|source|sources|facts?|the (?:facts?|source|numbers?|date|spelling|wording|figures?|above|claim|name"
    r"|link))"
    r"|verify(?: (?:this|that|with|source|the|if))?(?=[ :\]}>])|confirm (?:this|that|with|the|before|if)|(?:needs?"
    r"|missing|requires?|add|find|insert) (?:(?:an?|the|more|some|proper|better|further|second|another|real)"
    r" ){0,2}(?:sources?|citations?"
    r"|references?|check\w*|review\w*|verif\w*|work|edit\w*|example|details?|info\w*|proof|links?|update|rewrite"
    r"|rewording|clarification|expansion|images?|quote|context|numbers?|data|stats?|here)"
    r"|please (?:check|verify|review|confirm|revise|rewrite|edit|update|add|expand|remove|delete|advise)|(?:re-?write"
    r"|re-?word|rephrase|re-?phrase|expand|shorten|clarify|update|revise|tighten|simplify|rework|polish|proofread"
    r"|finish|complete)(?: (?:this|that|here|me|the|on this|later|sentence|paragraph|section|part|before))"
    r"|(?:remove|delete|cut|drop|move|merge|replace)(?: (?:this|that|before|the (?:above|next|last|previous|following)"
    r"|sentence|paragraph|if|to|after))|do not (?:publish|share|use|distribute|include|send)|not for (?:publication"
    r"|release)|for (?:internal|review|editor|editing)\b|draft\b(?: \w+)?|ask (?:legal|marketing|the|\w+ (?:about|if"
    r"|whether))|(?:is|are) (?:this|that|these) (?:right|correct|true|still)[^\])\n]{0,40}\?|(?:not )?sure (?:about|if)"
    r" (?:this|that)|unclear|awkward(?: (?:wording|phrasing|sentence))?|too (?:long|short|vague|wordy)|wc\?|sp\?"
    r"|source\??|citation|who\?|when\?|where\?|which\?|why\?|really\?|true\?|correct\?|better word|word choice"
    r"|pending\b|to be (?:added|confirmed|checked|continued|done|completed|decided|determined|verified|updated"
    r"|rewritten|removed|reviewed|written|defined|announced)|come back (?:to|here)|reminder|remember to|hold for"
    r"|continued on|end of (?:answer|response|text|draft)|see (?:my )?comment|comment(?: \d+| from \w+)?:|q(?:uestion"
    r"|uery|a)?:|version \d|v\d|last (?:edited|updated|modified|reviewed) (?:by|on)|edited by|reviewed by|approved by"
    r"|written by|translated by)"
)
_NOTE_BRACKETED = re.compile(
    r"\[(?!\d)[A-Z][A-Za-z]{1,15}: (?i:is this|are these|can (?:you|we|someone)|could you|please|check|do we|should"
    r" (?:we|this)|not sure|i (?:think|would)|what|why|where|needs?|fix|add|remove|rewrite)\b[^\[\]\n]{0,120}\]"
    r"|\[internal\b[^\[\]\n]{0,80}\]|\[(?:\?|sic\?|x\?)\]|"
    rf"(?:\[\[?|<<?|(?<!\{{)\{{(?!\{{))\s?(?i:(?:note(?!s?\]|\s*\d)\s?[:\u2013\u2014-]|{_TASK})(?!\w)[^\[\]{{}}\n"
    rf"]{{0,160}})[\]}}>]"
)
_SURE = (
    r"(?:(?:note|nb|n\.b\.)(?: (?:for|to) (?:the )?(?:editor|reviewer|self|team|author|legal)|:? ?(?:check|verify|ask"
    r"|confirm|rewrite|fix|add|remove) )|(?:check|verify|confirm|discuss) (?:this )?with (?-i:[A-Z])\w+|todo|to do:"
    r"|fixme|fix (?:this|me|later)|tb[dca]\b|tk\b|wip|note to (?:self|editor|reviewer|author|writer|team|translator)"
    r"|(?:internal|editing) note|(?:editor|author|annotator|translator|reviewer|writer|labell?er"
    r"|moderator)(?:['\u2019]?s)? (?:notes?|comments?)|ed(?:\.|itor)? note|ed\.:|fact[- ]check|double[- ]check (?:this"
    r"|that|with|the)|check (?:this|source|facts?|the (?:facts?|source|spelling|wording))|verify (?:this|source|with)"
    r"|needs? (?:an? |more )?(?:source|citation|reference|check|review|verification|work|editing|rewrite|rewording)"
    r"|please (?:check|verify|review|revise|rewrite|expand|confirm)|(?:re-?write|re-?word|rephrase|expand|shorten"
    r"|revise|tighten|finish) (?:this|that|me|here|later)|(?:remove|delete|cut) (?:this|before|if)|do not (?:publish"
    r"|distribute)|not sure (?:about|if) this|is this (?:right|correct|true)\?|to be (?:added|confirmed|checked"
    r"|continued|completed|determined|verified|rewritten|reviewed)|come back to this|add (?:more|source|citation"
    r"|example|details?|reference|link)s?(?: here)?\)|source\?|sp\?|citation needed|end of (?:draft))"
)
_NOTE_ROUND = re.compile(rf"\((?i:{_SURE}[^()\n]{{0,120}})\)?")
_NOTE_LINE = re.compile(
    r"(?m)^[ \t>*#/_-]{0,6}(?i:(?:(?:editor|author|annotator|translator|reviewer|writer|moderator)(?:['\u2019]?s)?"
    r" (?:notes?|comments?)|note to (?:self|editor|reviewer|author|team|writer)|internal (?:notes?|use only|only)"
    r"|editing notes?|to-?do|fix ?me|xxx|hack|draft(?: only| version| answer| \d+)?|wip|reviewer|annotator|editor"
    r"|ed\.?|comment(?: for \w+)?|edit(?: ?\d)?|track(?:ed)? changes?|changelog|revision(?: \d+)?)[*_]{0,2}"
    r" ?[:\u2013\u2014]|do not publish|not for publication|draft ?[-\u2013\u2014]|[-=*]{2,} ?(?:note|draft|todo"
    r"|internal)\b|=+ ?(?:draft|end of draft|internal) ?=+)"
    r"|(?<!:)//\s?(?i:todo|fixme|note|check|xxx)\b|#\s?(?:TODO|FIXME)\b|/\*[^\n]{1,200}?\*/|\{#[^\n]{1,120}?#\}"
    r"|%%\s?(?i:todo|note|check)|@(?i:todo|editor|reviewer|author|team)\b|\u00a7\u00a7 ?\w+"
    r"|(?<=[.!?] )(?i:note to (?:self|editor|reviewer|author|team|writer)|editor['\u2019]?s? note|todo|fixme|reviewer"
    r" (?:note|comment)|internal note) ?[:\u2013\u2014-]"
)
_NOTE_SIGNS = word_set(
    "todo;to-do;fixme;fix me;note to;s note;r note;note:;notes:;notes for;draft;edit:;edit :;\nedit ;comment;"
    "reviewer;annotator;editor;translator:;writer:;author:;moderator:;ed.:;ed:;ed :;ed.;xxx;hack:;wip;"
    "internal;do not publ;not for publ;tracked ch;track ch;changelog;revision;// check;//check;// note;"
    "//note;/*;{#;%% ;@team;@author;\u00a7\u00a7;==;--",
    ";",
)
_STAND_IN = re.compile(r"\[[A-Z]+-\d+(?:\.\d+)?\]")
_BY_SIGN = (
    ("[", _SQUARE),
    ("{", _CURLY),
    ("<", _ANGLE),
    ("(", _ROUND),
    ("$", _DOLLAR),
    ("%", _PERCENT),
    ("__", _BLANKS),
    ("....", _BLANKS),
    ("\u2026\u2026", _BLANKS),
    ("XX", _CROSSES),
    ("xx", _CROSSES),
    ("DD", _CROSSES),
    ("YYYY", _CROSSES),
    ("00/00", _CROSSES),
    ("$X", _CROSSES),
    (" here", _WORDS),
    (" HERE", _WORDS),
    ("_here", _WORDS),
    ("_HERE", _WORDS),
    ("TODO", _SHOUTED),
    ("FIXME", _SHOUTED),
    ("TB", _SHOUTED),
    ("TK", _SHOUTED),
)
_OTHER_SIGNS = re.compile(r"[_#@*\u00ab|~^]")
_DUMMY_SIGNS = word_set(
    "ipsum;orem i;Lorem;lorem;dolor;nsectet;dipisc;eiusmod;ullamco;uis aute;xcepteur;perspiciatis;"
    "orro quisquam;vero eos;voluptat;mollit;laborum;cillum;pariatur;aliqua ;aliqua.;t labore;veniam;facilisi;"
    "id elit;mi porta;aecenas;enean ;onec ;posuere;cras mattis;dapibus;sagittis;ullam quis;ullam id;raesent ;"
    "sit amet;orbi tris",
    ";",
)
_DUMMY_MORE = word_set(
    "ellentesque;uspendisse;estibulum;urabitur;liquam erat;uisque;lindtext;rapattoni;uropan ling;"
    "ord mountains;ortbergen;ummy text;iller text;laceholder text;coming soon",
    ";",
)


def slot(text: str) -> str:
    """The first place in a text that was to be filled; "" where there is none."""
    for sign, pattern in _BY_SIGN:
        if sign in text and (hit := _first(pattern, text)):
            return hit
    return _first(_OTHERS, text) if _OTHER_SIGNS.search(text) else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    return next((hit[0] for hit in pattern.finditer(text) if not _STAND_IN.fullmatch(hit[0])), "")


def dummy(text: str) -> str:
    """A piece of dummy text (lorem ipsum and its like); "" where there is none."""
    if any(sign in text for sign in _DUMMY_SIGNS) or any(sign in text for sign in _DUMMY_MORE):
        hit = _DUMMY.search(text)
        return hit[0] if hit else ""
    return ""


def note(text: str) -> str:
    """A note that somebody who worked on the text left in it; "" where there is none."""
    signs = (("[", _NOTE_BRACKETED), ("{", _NOTE_BRACKETED), ("<", _NOTE_BRACKETED), ("(", _NOTE_ROUND))
    for sign, pattern in signs:
        if sign in text and (hit := pattern.search(text)):
            return hit[0]
    lowered = text.lower()
    hit = _NOTE_LINE.search(text) if any(word in lowered for word in _NOTE_SIGNS) else None
    return hit[0] if hit else ""
