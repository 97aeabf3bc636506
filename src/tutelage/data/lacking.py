"""Questions that speak of something to work on which is not there."""

from __future__ import annotations

import re

from tutelage.data.exchange import flag, quote, word_set, words
from tutelage.records import Example, Finding, Role

INPUT_WORDS = 30
"""A system turn with more words than that may hold what the question speaks of."""
LONGEST = 700
"""A longer question, in characters, holds what it speaks of."""
HELD = 12
"""So many words besides the sentence that speaks of a text may be that text."""
_TEXT = (
    r"(?:(?:reference |background |news |source |short |input |original |wikipedia |blog |research |given |provided )?"
    r"(?:texts?|passages?|paragraphs?|articles?|story|stories|documents?|essays?|conversations?|dialogues?|transcripts?"
    r"|excerpts?|extracts?|contexts?|abstracts?|reports?|speech|letters?|chapters?|contracts?|e-?mails?|messages?"
    r"|review"
    r"|reviews|blog|post|paper|snippet|page|write-?up|description|summary|note|notes|biography|case study|thread"
    r"|reference|references|information|material|content|details|facts|data|dataset|resume|essay))"
)
_ITEM = (
    r"(?:sentences?|words?|lists?|numbers?|items?|code|function|program|script|tables?|charts?|graphs?|query|queries"
    r"|equations?|expression|poems?|lyrics|recipe|comments?|tweets?|statements?|phrases?|quotes?|questions?"
    r"|headlines?|titles?"
    r"|names?|lines?|values?|images?|pictures?|photos?|figures?|diagrams?|screenshots?|spreadsheet|attachment"
    r"|files?|options"
    r"|reviews?|json|csv|html|sql|log|puzzle|problem|animals|countries|cities|foods|movies|books|objects|products"
    r"|examples?"
    r"|sequence|array|string|dates?|verbs?|proverb|riddle|joke|song|instructions|scenario|situation|clauses?"
    r"|products?|events?)"
)
_NOUN = rf"(?:{_TEXT}|{_ITEM})"
_LONG_NOUN = (
    r"(?:(?:reference |given |provided |below |above |following )?(?:texts?|passages?|paragra\w+|excerpts?"
    r"|transcripts?|articles?"
    r"|dialogue|snippet|abstract|write-?up|reference text)|contexts?(?! of))"
)
_FILLER = r"(?:(?!by |the |to |for |in |with |from |of |a |an |and |what |how |this )[\w-]+\s+){0,2}?"
_NO_MORE = r"(?! (?:of|by|about|called|titled|named|from|on|below|that|which|entitled|in which)\b)"
_LONG = re.compile(
    rf"\b(?:following|below|above|given|provided|attached|enclosed|accompanying|supplied|preceding|aforementioned"
    rf"|pasted)\s+{_FILLER}{_TEXT}\b"
    rf"(?! (?:is|are|was|were) (?:an?|the)\b)"
    rf"|\b{_TEXT} (?:\w+ )?(?:below|above|provided|attached|pasted|supplied|that follows?|i (?:sent|gave|pasted"
    rf"|provided|shared|attached))\b"
    r"(?!\s+(?:by|for|to|sea|the|freezing|average|ground|water|zero))"
    rf"|\b(?:given|using|per|from|based (?:up)?on|according to|considering|read|reading|with|in|within|on|consider"
    rf"|of|to|quoting|about|as|for) (?:this|the|these|that) "
    rf"(?:[\w-]+ ){{0,2}}?{_LONG_NOUN}\b(?! (?:editor|message|box|field|file|adventure|size|style|type|marker"
    rf"|mark)){_NO_MORE}"
    rf"|\b(?:given|based (?:up)?on|according to|from|using) an? (?:[\w-]+ ){{0,2}}?(?:texts?|passages?|paragra\w+"
    rf"|excerpts?|transcripts?|articles?)\b{_NO_MORE.replace('|about', '')}"
    rf"|\b(?:given|based (?:up)?on|according to|as per|per) (?:only )?(?:this|these|your|an?) {_TEXT}\b"
    rf"|\bfrom (?:this|these) {_TEXT}\b|\b(?:given|based (?:up)?on|from|per|as per|in) (?:this|the|an?)"
    rf" (?:reference|paragra\w+|passage|excerpt|abstract|biography)\b"
    rf"|\b(?:according to|from|per|in|based on) passage\b"
    rf"|\bas (?:per|mentioned|stated|described|discussed) (?:in )?(?:this|the) {_TEXT}\b"
    r"|\b(?:what|how|why|does|did|is|was|would|do)\b[^.?!]{0,30} the (?:passage|paragraph|excerpt|transcript|author"
    r"|narrator|speaker|writer)(?:'s)? (?:\w+ ){0,2}?"
    r"(?:about|say|says|think|argue|mean|describe|claim|suggest|view|main|point|opinion|tone|believe|feel|use|try"
    r"|imply|conclude|state|do\b|refer|try)"
    r"|\b(?:mentioned|listed|described|stated|discussed|named|provided|contained|given|included|found) (?:here\b|in"
    r" (?:(?:the|this) (?:text|article|passage|paragraph"
    r"|story|table|list|document)))"
    r"|\b(?:information|details|data|facts|text|context) (?:that (?:is|was) )?(?:provided|given|below|above"
    r"|presented|supplied)\b(?! (?:by|for|in)\b)"
    r"|\b(?:provided|given|above|below) information\b|\bhere is (?:some|a|an|the) (?:text|information|passage"
    r"|paragraph|article|background)"
)
_SHORT = re.compile(
    rf"\b(?:following|below|above|given|provided|attached|enclosed|accompanying|supplied|preceding|aforementioned"
    rf"|pasted)\s+{_FILLER}{_ITEM}\b"
    rf"|\b(?:list|steps|options|choices|bullets|sentences?|code|table|words?|numbers?|items?|image|data|query|poem|lines?)\s+(?:\w+\s+)?(?:below"
    rf"|above|provided|attached"
    rf"|pasted|supplied|that follows?|i (?:sent|gave|pasted|provided|shared|attached))\b(?!\s+(?:by|for|to|sea|the"
    rf"|freezing|average|ground|water|zero|\d))"
    r"|\b(?:from|in|using|summari[sz]e|translate|rewrite|classify|of|fix|answer|correct|paraphrase|simplify|with"
    r"|extract|explain|complete|solve|categori[sz]e"
    r"|consider|read|edit|proofread|convert|shorten|rephrase|review|check|sort|debug|identify|analy[sz]e) the"
    r" (?:following|above|below|provided|attached|preceding)\W*$"
)
_WORKS = (
    r"(?:summari[sz]e|translate|classify|re-?write|rephrase|paraphrase|proofread|correct|edit|shorten|simplify"
    r"|extract|fix|convert|categori[sz]e|analy[sz]e"
    r"|sort|debug|reword|underline|rank|reorder|highlight|condense|expand|transcribe|improve|interpret|reverse"
    r"|alphabeti[sz]e|annotate|refactor|optimi[sz]e|turn|grade|complete|count|reply to|respond to|fill in|compare)"
)
_WORKS_ON_THE = re.compile(
    rf"^\W*(?:(?:please|can you|could you|kindly|would you|i want you to|your task is to|now|briefly|also)"
    rf" )*{_WORKS}\b[^.?!\n:]{{0,60}}?\b(?:the|my|our|these|those|this|that) (?:\w+ )?"
    rf"(?:{_TEXT}|sentences?|words|list|numbers|code|function|tables?|query|equation|poem|comment|tweet|statement"
    rf"|paragraph|headline|dialogue|bullet points?|bullets|steps|drafts?|blanks|quote|answers?|options|code snippet)"
    r"(?=\W*$|[.?!]\s| (?:into|to|in|for|as|and|with|using|so|without|from|alphabetically|by \w+ing)\b(?! the ))"
)
_THE_ONE = re.compile(
    r"^\W*(?:(?:please|can you|could you|kindly|would you|i want you to|now|briefly) )*(?:who|what|what's|which|how"
    r" many|how|why|when|where|is|are|does|do|did|was|were|remove|count|describe"
    r"|explain|solve|identify|determine|find|list|look at|read|give|name|write|tell|state|use|using|given|based on"
    r"|according to|complete|answer|check|evaluate|score|rate|show|add|split"
    r"|compare|calculate|compute|create|make|generate|provide|order|group|match|fill|continue|finish|choose|select"
    r"|label|tag|replace|capitali[sz]e)\b[^.?!\n:,]{0,70}?"
    r"\b(?:the|these|those) (?:two |three |four |given |main |whole |entire )?(?:text|passage|paragraph|article"
    r"|sentences?|list|tables?|poem|story|conversation|dialogue|report|review|reviews|e-?mail|image|picture"
    r"|photo|chart|graph|code(?! to)|equation|sequence|joke|recipe|tweet|essay|document|transcript|excerpt|snippet"
    r"|diagram|screenshot|spreadsheet|pdf|attachment|speaker|scenario|options|quote|draft"
    r"|code snippet"
    r"|bullet points|blanks)\b"
    r"(?=\W*$|[?!.]\s|,| (?:and|true or false|correct|costs?"
    r"|contains?|mentions?|says?|mean|means|describes?|above|so|to|into|that you"
    r" see)\b)"
)
_HERE_IS = re.compile(
    r"\b(?:here (?:is|are)|below (?:is|are)) (?:my|our|the|an?|some|this|these)"
    rf" (?:\w+ )?{_NOUN}\b"
    r"[^.?!\n:]{0,60}[.?!:]?\s*$"
)
_WHICH_OF = re.compile(
    r"^\W*(?:which|what) (?:one )?of (?:these|those|the (?:options|choices|two|three)) [^.?!\n:,]{0,50}\?\s*$"
    r"|^\W*is the statement (?:true|correct|right)\b[^.?!\n:,]{0,20}\?\s*$"
)
_WORKS_COLON = re.compile(rf"^\W*(?:please )?{_WORKS}\b[^.?!\n:]{{0,60}}[:\uff1a]\s*$")
_NOT_DANGLING = re.compile(
    r"\b(?:i|we|my|your|our|their|each|every|mom|mother|father|dad|wife|husband|friend|girl|boy|child|baby)\b.*"
    r" (?:he|she|his|her|him|this \w+|th[eo]se \w+)\b|[.?!;]\s"
)
_DANGLING = re.compile(
    r"^\W*(?:who|what|where|when|why|how|which|did|was|were|is|are|does|can|list|describe|in|at|by)\b(?:(?!\b(?:a"
    r"|an|if|someone|person|one|people)\b)[a-z' ]){0,60}?"
    r"\b(?:this (?:company|battle|war|road|film|movie|person|man|woman|event|city|town|team|band|show|book|novel"
    r"|song|place|organi[sz]ation|player|actor|actress|artist|singer"
    r"|character|information|entry|process|building|species|animal|game|school|university|area|region|village|album"
    r"|artist|disease|author|politician|couple|king|author)"
    r"|th(?:at|ose|ese) (?:company|film|movie|event|battle|man|woman|people|players|characters)|he|she|his|her|him)\b"
)
_THIS = re.compile(
    r"\bth(?:is|ese) (?:\w+ )?(?:texts?|passages?|paragraphs?|articles?|story|document|essay|conversation|dialogue"
    r"|transcript|excerpt|abstract|report|speech|letter|e-?mail|message"
    r"|reviews?|blog post|sentences?|code|function|poem|tweet|statements?|list|table|query|equation|chart|graph"
    r"|image|picture|photo|snippet|comment|quote|expression|script"
    r"|spreadsheet|file|screenshot|diagram|lyrics|headline|phrase|puzzle|numbers|words|notes|contract|resume"
    r"|dataset|recipe)\b(?! of)"
)
_NOUNLESS = re.compile(
    r"^\W*(?:(?:please|can you|could you|kindly|would you|now) )*(?:summari[sz]e|translate|rewrite|re-write"
    r"|rephrase|paraphrase|proofread|fix|correct|edit"
    r"|shorten|simplify|classify|debug|explain|improve|expand|analy[sz]e|convert|check|review|format|continue"
    r"|complete|reword|sort|solve|transcribe|annotate)"
    r" (?:this|it|these|that|the (?:following|above|below))(?: (?:for me|please|to|into|in|as|so|and|using|with"
    r"|from)\b[^:,\n]{0,80})?[.:?! ]*$"
)
_WORKS_ON = re.compile(
    r"^\W*(?:(?:please|can you|could you|kindly|would you|you will|i want you to|your task is to|help me|now"
    r"|briefly|bitte) )*(?:summari[sz]e|translate"
    r"|classify|re-?write|rephrase|paraphrase|proofread|correct|edit|shorten|simplify|extract|identify|find|fix"
    r"|convert|categori[sz]e|analy[sz]e|review"
    r"|read|based on|given|using|according to|from|in|what|which|determine|label|tag|answer|complete|continue|sort"
    r"|improve|check|debug|explain|count|evaluate"
    r"|interpret|reword|underline|rank|order|highlight|summary of|outline|describe|list|add|remove|replace|group"
    r"|split|merge|format|expand|condense|detect|score"
    r"|rate|compare|provide|give|write|tell|who|when|where|how|why|is|are|does|do|did|was|were|name|create|generate"
    r"|transcribe|calculate|compute|solve|arrange"
    r"|organi[sz]e|reorder|reply|respond|grade|fill|match|select|choose|pick|turn|change|transform|make|suggest|infer|predict|decide"
    r"|state|show|refer|look|take|consider)\b"
)
_OTHERS = re.compile(
    r"\b(?:(?:folgende[nrsm]?|diese[nrsm]?|obige[nrsm]?|vorliegende[nrsm]?|untenstehende[nrsm]?"
    r"|gegebene[nrsm]?)\s+(?:\w+\s+)?(?:text|absatz|satz|sätze|artikel|abschnitt|nachricht"
    r"|e-?mail|liste|tabelle|code|bewertung|gedicht|wörter|zahlen|daten|gespräch|geschichte)\w*|(?:im|aus dem|laut)"
    r" (?:text|artikel|absatz|abschnitt)\b"
    r"|(?:ce|cet|cette|ces|le|la|les|du)\s+(?:texte|paragraphe|article|phrases?|passage|liste|tableau|code|poème"
    r"|avis|e-?mail|mots|nombres|conversation)s?\s+(?:suivante?s?|ci-dessous|ci-dessus|fournie?|donnée?)"
    r"|(?:cet?|cette) (?:texte|paragraphe|article|phrase|passage|tableau|avis)\b|selon (?:le|ce) (?:texte|passage)"
    r"|(?:siguientes?|presente)\s+(?:texto|párrafo|artículo|frase|oración|pasaje|lista|tabla|código|poema|reseña"
    r"|correo|palabras|números)s?|(?:este|esta) (?:texto|párrafo|artículo|frase|oración|pasaje|reseña|tabla)\b"
    r"|según (?:el|este) (?:texto|pasaje)"
    r"|(?:seguenti?|presente)\s+(?:testo|paragrafo|articolo|frase|brano|elenco|tabella|codice|poesia|recensione"
    r"|parole)|(?:testo|paragrafo|articolo|brano|frase|elenco|tabella) (?:seguente|qui sotto|fornito)|quest[oa']"
    r" ?(?:testo|paragrafo|articolo|brano|frase)\b"
    r"|(?:seguintes?)\s+(?:texto|parágrafo|artigo|frase|trecho|lista|tabela|código|palavras)s?|(?:texto|parágrafo"
    r"|artigo|frase|trecho|lista|tabela) (?:a seguir|abaixo|seguinte|fornecido)|(?:este|esta|deste|desta) (?:texto"
    r"|parágrafo|artigo|frase|trecho)\b"
    r"|(?:volgende|onderstaande|bovenstaande|gegeven)\s+(?:tekst|alinea|zin|artikel|lijst|tabel|code|woorden"
    r"|gedicht)\w*|(?:deze|dit) (?:tekst|alinea|zin|artikel)\b"
    r"|(?:följande|nedanstående)\s+(?:text|stycke|mening|artikel|lista|tabell)\w*|(?:poniższ"
    r"|następując)\w+\s+(?:tekst|akapit|zdani|artykuł|list|tabel)\w*|(?:следующ|эт|данн|приведённ"
    r"|приведенн)\w+\s+(?:текст|абзац|предложени|стать|отрыв|список|таблиц)\w*"
    r"|aşağıdaki\s+(?:metn|metin|paragraf|cümle|makale|liste|tablo)\w*|(?:teks|paragraf|kalimat|artikel|daftar"
    r"|tabel)\s+(?:berikut|di bawah|ini)|đoạn văn (?:sau|dưới đây|này))"
    r"|(?:以下|下面|下列|这段|这篇|上述|给定的?)(?:的|这段)?(?:文本|文字|文章|段落|句子|内容|列表|表格|代码|对话"
    r"|单词|评论)|(?:以下|次|この|上記)の?(?:文章|文|テキスト|段落"
    r"|記事|リスト|表|コード|会話)|(?:다음|이|아래)\s?(?:텍스트|글|문장|문단|기사|목록|표|코드)|(?:النص|الفقرة"
    r"|المقال|الجملة) (?:التالي|التالية"
    r"|أدناه)"
)
_EMPTY_SLOT = re.compile(
    r"(?:\A|\n)\W{0,4}(?:text|input|passage|article|context|paragraph|sentence|review|code|table|data|e-?mail"
    r"|document|content|story|list|source|excerpt|conversation"
    r"|dialogue|transcript|poem|tweet|message|abstract|numbers|words|items|texto?|texte|entrada|eingabe|absatz"
    r"|passaggio|testo|文本|输入|入力)\W{0,4}[:\uff1a]\W{0,4}"
    r"(?:<?no[ _]?input>?|n/?a|none|null|nan|empty|\[\s*\w*\s*\w*\s*\w*\s*\]|<\s*\w*\s*\w*\s*\w*\s*>|\{+\w*\}+|\"\""
    r"|''|(?:see|as) attached)?\W*"
    r"(?:(?:\n)\W{0,4}(?:\w[\w ]{0,20})\W{0,3}[:\uff1a]\W*)?\Z"
)
_STAND_IN = re.compile(
    r"(?:\A|[\s:])(?:<?no ?input>?|\[(?:insert|paste|your|text|article|passage|input|image|attachment|table"
    r"|document|code|story|email|link)[^\[\]\n]{0,40}\]|<(?:insert|paste|text|article|input|passage)[^<>\n]{0,30}>"
    r"|\((?:see )?attach\w*[^()\n]{0,30}\)|\{(?:text|article|input|passage|context|document)\})\W*\Z"
)
_ASKS_BACK = re.compile(
    r"\b(?:please (?:provide|share|paste|send|supply|give me|attach|include|upload)|(?:could|can|would) you"
    r" (?:please )?(?:provide|share|paste|send|supply|attach|upload)"
    r"|you (?:did not|didn't|have not|haven't|forgot to) (?:provide|share|include|paste|attach|given|provided"
    r"|shared|included|pasted|attached|give)"
    r"|(?:there (?:is|was|are)|i see|i (?:have|received|was given)|it contains) no (?:\w+ )?(?:text|passage|article"
    r"|input|context|paragraph|sentence|table|list|code|attachment|document|content|data|image)"
    r"|no (?:\w+ )?(?:text|passage|article|input|context|paragraph|sentence|table|list|code|attachment|document"
    r"|content) (?:was|were|is|has been|have been|provided|given|attached)"
    r"|(?:don't|do not|cannot|can't) see (?:any|the|a|an) (?:\w+ )?(?:text|passage|article|attachment|input"
    r"|paragraph|table|list|code|document|image|content)"
    r"|(?:i(?:'d| would)? need|i'll need|send me|without) (?:to see )?(?:the|an?|more) (?:\w+ )?(?:text|passage"
    r"|article|paragraph|table|list|code|document|context|sentence|content)"
    r"|bitte (?:geben|gib|senden|sende|schick|füge)\w*|(?:veuillez|merci de|pouvez-vous) (?:fournir|me fournir"
    r"|partager|coller)|por favor,? (?:proporcion|compart|env[ií]|proporcione|forneça|compartilhe)\w*)"
)
_QUOTED = re.compile(
    "[\"\u201c\u00ab\u300c][^\"\u201d\u00bb\u300d]{2,}|(?<!\\w)['\u2018`][^'\u2019`]{2,}['\u2019`](?!\\w)|https?://"
    "|[\\[{<=]"
)
_QUOTED_AT_LENGTH = re.compile("[\"\u201c\u00ab\u300c][^\"\u201d\u00bb\u300d]{80,}|'[^'\n]{80,}'|https?://")
_GOES_ON = re.compile(
    r"[\s\W]*(?:place|share|jot|arrange|let|mark|write|pick|separate|please|then|and|also|list|use|write|give|keep"
    r"|make|answer|return|provide|output|separate|display|format|your|do not|don't|in|explain|what|who|when|where"
    r"|why|which|how|is|are|was"
    r"|were|did|does|do|can|if|be|limit|only|include|focus|state|tell|summari[sz]e|extract|name|identify|find"
    r"|describe|present|put|respond|reply|the (?:output|answer|response|result|summary|list)"
    r"|it should|for|with|as|each|ensure|avoid|no|mention|show|sort|i want|i need|you|try|note|result\w*|using"
    r"|bitte|from|based|add|remove|highlight|create|convert|rank|order)\b"
)
_POINTERS = word_set(
    "following below above given provided attached enclosed accompanying supplied preceding aforementioned pasted"
    " follows"
    " this these that it the text texts passage passages paragraph paragraphs excerpt context article here"
)
_ENGLISH = word_set("the what how you this these and")
_NAME = re.compile(r"\b(?!I\b)[A-Z0-9]")
_END = re.compile(r"[.!?:]+(?=\s|\Z)|\n|[\u3002\uff1f\uff01\uff1a]")


def missing_input(example: Example) -> Finding | None:
    """The question speaks of a text, a list, a table and so on that is not there, or the answer asks for it."""
    turns = example.conversation.turns
    first = next((number for number, turn in enumerate(turns) if turn.role is Role.USER), 0)
    question = turns[first].text
    if turns[0].role is Role.SYSTEM and len(words(turns[0].text)) > INPUT_WORDS:
        return None
    if len(question) > LONGEST or not (speaks_of_more(question) or _asks_back(question, turns[first + 1 :][0].text)):
        return None
    return flag(example, "missing_input", f"the question needs a text that is not there: {quote(question)}")


def _asks_back(question: str, answer: str) -> bool:
    start = answer[:250].lower().replace("\u2019", "'")
    if not _ASKS_BACK.search(start) or len(words(answer)) >= 60 or len(words(question)) > INPUT_WORDS:
        return False
    text = question.lower().replace("\u2019", "'")
    points = (_WORKS_ON_THE, _LONG, _SHORT, _THIS, _NOUNLESS, _OTHERS)
    return bool(_WORKS_ON.match(text)) and not _QUOTED.search(text) and any(each.search(text) for each in points)


def speaks_of_more(question: str) -> bool:
    """Whether a question works on something that it neither holds nor describes."""
    text = question.strip().lower().replace("\u2019", "'")
    end = text[-60:]
    if (":" in end or "\uff1a" in end) and (_EMPTY_SLOT.search(text) or _WORKS_COLON.match(text)):
        return True
    if end[-1:] in "]>)}t" and _STAND_IN.search(end):
        return True
    said = _POINTERS.intersection(words(text))
    if said and _NOUNLESS.match(text):
        return True
    if said and (hit := _LONG.search(text)):
        return not _holds_a_text(text, hit)
    hit = (
        (said and (_SHORT.search(text) or _works_on_this(question.strip(), text)))
        or (not _ENGLISH.intersection(words(text)) and _OTHERS.search(text))
        or None
    )
    return not _holds_items(text, hit) if hit else _dangles(question.strip())


def _works_on_this(question: str, text: str) -> re.Match[str] | None:
    this = _THIS.search(text) if _WORKS_ON.match(text) else None
    this = this or (_HERE_IS.search(text) if len(text) < 200 else None) or _WHICH_OF.match(text)
    return this or _WORKS_ON_THE.match(text) or _the_one(question, text)


def _the_one(question: str, text: str) -> re.Match[str] | None:
    """Where a short question without a name asks about "the table", as if there were only one."""
    return _THE_ONE.match(text) if len(text) < 200 and not _NAME.search(question[1:].replace(". ", " ")) else None


def _dangles(question: str) -> bool:
    """Whether a short question is about a "he" or "this company" of which nothing was said."""
    text = question.lower().replace("\u2019", "'")
    hit = _DANGLING.match(text) if len(question) < 150 else None
    return (
        bool(hit)
        and not _NOT_DANGLING.search(text)
        and not _NAME.search(question[1:])
        and not _QUOTED.search(text)
        and "\n" not in text
    )


def _around(text: str, hit: re.Match[str]) -> tuple[str, str, str]:
    """What stands before the sentence with a hit, what follows the hit in it, and what follows it."""
    start = max((each.end() for each in _END.finditer(text, 0, hit.start())), default=0)
    end = _END.search(text, hit.end())
    stop = end.end() if end else len(text)
    return text[:start].strip(), text[hit.end() : stop], text[stop:].strip()


def _on_new_line(text: str, hit: re.Match[str], after: str) -> bool:
    return bool(after) and "\n" in text[hit.end() : len(text) - len(after)]


def _holds_a_text(text: str, hit: re.Match[str]) -> bool:
    """Whether there is a text beside the sentences that ask."""
    if _QUOTED_AT_LENGTH.search(text):
        return True
    before, within, after = _around(text, hit)
    if "\n\n" in text or (_on_new_line(text, hit, after) and not _GOES_ON.match(after)):
        return True
    if within.rstrip().endswith((":", "\uff1a")) and len(words(after)) >= HELD / 2 and not _GOES_ON.match(after):
        return True
    return any(len(words(part)) >= HELD or "\n" in part for part in (before, after) if not _GOES_ON.match(part)) or (
        len(words(before)) + len(words(after)) >= 3 * HELD
    )


def _holds_items(text: str, hit: re.Match[str]) -> bool:
    """Whether there are some words, a name or a list beside what asks."""
    before, within, after = _around(text, hit)
    if _QUOTED.search(text) or "\n\n" in text or "\n" in after or "\n" in before or within.count(",") >= 2:
        return True
    if after and (within.rstrip().endswith((":", "\uff1a")) or not _GOES_ON.match(after) or ":" in after):
        return True
    return len(words(after)) >= HELD or (len(words(before)) >= 4 and not _GOES_ON.match(before))
