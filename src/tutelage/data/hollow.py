"""Answers that say nothing: blank ones, and what people leave in a field instead of an answer."""

from __future__ import annotations

import re
import unicodedata

from tutelage.data.exchange import Exchange, exchanges, flag, quote, word_set, words
from tutelage.records import Example, Finding, Role

NO_ANSWER = frozenset({"nan", "null", "undefined", "<nooutput>", "[deleted]", "[removed]"})
LONGEST = 80
"""Characters; a longer text says something, if only an excuse."""
_EDGES = (
    " \t\n\r*_~`\"'\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb()[]{}<>|/\\.,!?\u2026:"
    ";=-\u2013\u2014\u3002\uff01\uff1f\uff08\uff09\u3010\u3011"
)
_STAND_INS = word_set(
    # nothing
    "n/a;na;n.a;n a;none;nil;nothing;null;void;empty;blank;unknown;undefined;nope nothing;naught;zilch;nada;not"
    " applicable"
    ";not available;unavailable;#ref;#value;#name;#n/a;#div/0;object object;nan;none yet;nothing yet;nothing here;n/a"
    " n/a"
    ";error;failed;timeout;undefined undefined;null null;404;error 404;not found;404 not found;string;str;todo;to do"
    ";tbd"
    ";tba;tbc;tk;wip;fixme;pending;later;coming soon;more later;work in progress;under construction;in progress"
    # no opinion
    ";idk;dunno;i dunno;dk;no se;beats me;who knows;no one knows;nobody knows;god knows;hard to say;it depends;depends"
    ";that depends;whatever;anything;something;stuff;things;somehow;just because;because;because i said so;it just is"
    ";it is what it is;obviously;self explanatory;self-explanatory;obvious;pass;skip;skipped;next;next question"
    ";unanswered"
    ";no thanks;no thank you;nah;meh;shrug;good question;great question;nice question;interesting;interesting question"
    # noise of a chat
    ";ok;okay;k;kk;okey;ok ok;sure;sure thing;fine;cool;nice;wow;done;got it;noted;understood;will do;of course"
    ";certainly"
    ";absolutely;thanks;thank you;thx;ty;no problem;you're welcome;great;awesome;alright;all good;same;same here;ditto"
    ";idem;ibid;see;etc;and so on;blah;lol;lmao;rofl;haha;omg;wtf;huh;oops;sorry;i'm sorry;my bad;hm;um;uh;er;eh;yo"
    # filling
    ";foo;bar;baz;foo bar;foobar;foo bar baz;lorem;lorem ipsum;xx;xyz;abc abc;asd;qwe;zxc;aaa;sdf;fgh;jkl;wasd;qaz"
    ";qwertz"
    ";azerty;text;some text;answer;the answer;an answer;my answer;your answer;answer here;response;output;reply;content"
    ";some content;solution;example answer;correct answer;right answer;click here;type here;enter text;hello test;temp"
    ";tmp"
    ";blank answer;blank response;empty response;empty answer;empty string;end;eof;stop;random text;random;gibberish"
    ";new text;new answer;sample;dummy;placeholder;default;draft;unnamed;untitled;google;google it;just google it"
    ";ask google;look it up;search online;wikipedia;chatgpt;ask chatgpt;see wikipedia;ask someone else;figure it out"
    # German, Dutch, Scandinavian
    ";keine antwort;keine angabe;keine angaben;keine ahnung;k.a;k. a;ka;wei\u00df nicht;weiss nicht;wei\u00df ich nicht"
    ";weiss ich nicht;ich wei\u00df es nicht;ich wei\u00df nicht;nichts;entf\u00e4llt;siehe oben;s.o;siehe unten;siehe"
    " anhang"
    ";siehe text;unbekannt;nicht bekannt;leer;fehlt;nicht zutreffend;nicht verf\u00fcgbar;kein kommentar;egal;folgt"
    ";wird nachgereicht;geen idee;geen antwoord;weet ik niet;ik weet het niet;weet niet;nvt;n.v.t;zie boven;onbekend"
    ";niets;vet inte;vet ej;jag vet inte;ingen aning;inget svar;ved ikke;det ved jeg ikke;vet ikke;aner ikke;en"
    " tied\u00e4"
    ";ei tietoa;ei mit\u00e4\u00e4n"
    # Romance
    ";sans r\u00e9ponse;pas de r\u00e9ponse;aucune r\u00e9ponse;aucune id\u00e9e;je ne sais pas;je sais pas;j'en sais"
    " rien"
    ";aucun;aucune;rien;n\u00e9ant;sans objet;voir ci-dessus;voir plus haut;voir ci-dessous;inconnu;non applicable"
    ";non disponible;no s\u00e9;no lo s\u00e9;ni idea;no tengo idea;sin respuesta;no aplica;ninguna;ninguno;ver arriba"
    ";v\u00e9ase arriba;desconocido;sin comentarios;no disponible;n\u00e3o sei;nao sei;eu n\u00e3o sei;sem resposta"
    ";nenhum"
    ";nenhuma;n\u00e3o se aplica;ver acima;sem coment\u00e1rios;desconhecido;non so;non lo so;boh;nessuna risposta"
    ";nessuno"
    ";nessuna idea;niente;vedi sopra;sconosciuto;nu \u0219tiu;nu stiu;habar n-am;no ho s\u00e9"
    # Slavic, Turkish, others
    ";nie wiem;brak;brak odpowiedzi;brak danych;nie dotyczy;nic;jw;j.w;nev\u00edm;nem tudom;nincs v\u00e1lasz"
    ";bilmiyorum"
    ";fikrim yok;yok;cevap yok;bilinmiyor;\u043d\u0435 \u0437\u043d\u0430\u044e;\u044f \u043d\u0435"
    " \u0437\u043d\u0430\u044e"
    ";\u043d\u0435\u0442 \u043e\u0442\u0432\u0435\u0442\u0430;\u043d\u0435\u0442 \u0434\u0430\u043d\u043d\u044b\u0445"
    ";\u0431\u0435\u0437 \u043f\u043e\u043d\u044f\u0442\u0438\u044f;\u043d\u0438\u0447\u0435\u0433\u043e;\u0441\u043c."
    " \u0432\u044b\u0448\u0435"
    ";\u0441\u043c \u0432\u044b\u0448\u0435;\u043d\u0435\u0438\u0437\u0432\u0435\u0441\u0442\u043d\u043e"
    ";\u043f\u0443\u0441\u0442\u043e"
    ";\u0442\u0435\u0441\u0442;\u03b4\u03b5\u03bd \u03be\u03ad\u03c1\u03c9;kh\u00f4ng bi\u1ebft;t\u00f4i kh\u00f4ng"
    " bi\u1ebft;tidak tahu"
    ";saya tidak tahu;tidak ada;entah"
    ";\u4e0d\u77e5\u9053;\u6211\u4e0d\u77e5\u9053;\u65e0;\u7121;\u6ca1\u6709;\u4e0d\u6e05\u695a;\u540c\u4e0a;\u7565"
    ";\u6682\u65e0;\u89c1\u4e0a;\u672a\u77e5;\u6d4b\u8bd5;\u65e0\u7b54\u6848;\u6ca1\u6709\u7b54\u6848"
    ";\u6682\u65e0\u7b54\u6848"
    ";\u5982\u4e0a;\u7a7a;\u5f85\u5b9a;\u308f\u304b\u308a\u307e\u305b\u3093;\u5206\u304b\u308a\u307e\u305b\u3093"
    ";\u77e5\u308a\u307e\u305b\u3093;\u306a\u3057;\u4e0d\u660e;\u7279\u306b\u306a\u3057;\u30c6\u30b9\u30c8;\u672a\u5b9a"
    ";\u308f\u304b\u3089\u306a\u3044"
    ";\ubaa8\ub974\uaca0\uc2b5\ub2c8\ub2e4;\ubaa8\ub974\uaca0\uc5b4\uc694;\ubab0\ub77c\uc694;\uc5c6\uc74c;\ubaa8\ub984"
    ";\ud14c\uc2a4\ud2b8"
    ";\u0644\u0627 \u0623\u0639\u0631\u0641;\u0644\u0627 \u0627\u0639\u0631\u0641;\u0644\u0627 \u0623\u062f\u0631\u064a"
    ";\u0644\u0627 \u064a\u0648\u062c\u062f;\u0644\u0627 \u0634\u064a\u0621"
    ";\u092a\u0924\u093e \u0928\u0939\u0940\u0902;\u092e\u0941\u091d\u0947 \u0928\u0939\u0940\u0902 \u092a\u0924\u093e"
    ";\u0915\u094b\u0908 \u0928\u0939\u0940\u0902;\u05dc\u05d0 \u05d9\u05d5\u05d3\u05e2",
    ";",
)
_WHAT = (
    r"(?:answer|response|reply|text|content|output|input|description|explanation|information|info|data|result|value"
    r"|solution|comment|message|entry|string|details?|idea|clue|opinion|summary|example|context|question)s?"
)
_THIS = (
    r"(?:\ (?:to|about|on|for|of|with))?(?:\ (?:it|that|this|the|any|these|an?|your))?(?:\ (?:one|answer|question"
    r"|topic|time|moment))?"
)
_SAYS_NOTHING = re.compile(
    rf"""(?:sorry,?\ (?:but\ )?|hmm+,?\ |um+,?\ |uh+,?\ |well,?\ |honestly,?\ |tbh,?\ )?(?:
      (?:i|we)\ (?:really\ |honestly\ |just\ |genuinely\ |simply\ )?(?:do\ not|don'?t|did\ not|didn'?t|wouldn'?t)
        \ (?:really\ |even\ |actually\ )?(?:know|have\ (?:an?\ |any\ |the\ )?(?:{_WHAT})|understand|remember|get\ it
        |care)
        {_THIS}(?:\ (?:for\ sure|sorry|at\ all|either|yet|here))?
    | (?:(?:i'?m|i\ am|we\ are)\ )?(?:not\ (?:really\ |too\ |quite\ |very\ |so\ |100\ ?%\ )?(?:sure|certain)|unsure
        |clueless
        |no\ (?:idea|clue)|without\ a\ clue|unable\ to\ (?:answer|say|tell|help|respond)){_THIS}
        (?:\ (?:for\ sure|sorry|at\ all|how\ to\ answer(?:\ this)?|what\ to\ (?:say|write|answer)(?:\ here)?))?
    | (?:i\ )?(?:have|had|got)\ (?:absolutely\ )?(?:no|not\ the\ slightest|not\ a)\ (?:idea|clue|answer|comment
        |opinion){_THIS}
    | (?:i\ )?(?:can'?t|cannot|can\ not|could\ not|couldn'?t|won'?t|will\ not)\ (?:answer|say|tell|help
        |think\ of\ (?:anything|one|any)|respond|do
        |complete|find\ (?:it|out|(?:the\ |an\ |any\ )?answer)){_THIS}(?:\ (?:right\ now|sorry|at\ the\ moment|here))?
    | (?:please\ )?(?:see|refer\ to|check|read|look\ at|look|cf|as|same\ as|similar\ to|same|copy|copied\ from
        |identical\ to|like)
        \ (?:(?:the|my|your|our|question|answer|info|information|text|stated|mentioned|described|given|said|in|noted
        |written|explained)\ ){{0,4}}
        (?:above|below|before|previous(?:ly)?|prior|earlier|last|other|attached|attachments?|attached\ file|links?
        |title|comments?|image|picture|photo
        |screenshot|online|website|internet|google|wikipedia|docs|documentation|manual|faq|text|passage|context
        |question|instructions?|post|{_WHAT})
        (?:\ (?:{_WHAT}|one|above|below|post|page|section|question|paragraph|for\ (?:details
        |more(?:\ info(?:rmation)?)?|(?:the\ )?answer)|please)){{0,2}}
    | no\ (?:{_WHAT}|output|need|more|result|records?|reply)(?:\ (?:was\ |is\ |were\ |has\ been\ )?(?:given|provided
        |available|found|yet|needed|required
        |possible|here|at\ all|exists?|necessary|entered|submitted|recorded|generated|returned|known|specified
        |for\ this(?:\ question)?|to\ (?:this|show|add)))?
    | (?:the\ |an?\ |this\ |your\ )?(?:{_WHAT}|question)\ (?:is\ |was\ |were\ |has\ been\ |could\ |can\ )?(?:not|un
        |left|never)\ ?(?:be\ |been\ |yet\ )?
        (?:given|provided|available|found|known|applicable|specified|needed|answered|entered|submitted|recorded|blank
        |empty|generated|loaded|shown|answerable)
    | (?:none|nothing|not|never|left)\ (?:was\ |is\ )?(?:given|provided|available|found|known|specified|applicable
        |needed|answered|entered|to\ (?:say|add|report|see|show)|blank|empty
        |yet|here|stated|mentioned|my\ problem|relevant|required|set|of\ (?:your|my)\ business)
    | (?:to\ be|will\ be|needs\ to\ be|must\ be|should\ be)\ (?:added|done|completed|filled(?:\ in)?|determined
        |continued|updated|decided|written|announced|provided|confirmed
        |defined|finished|answered|posted)(?:\ (?:later|soon|here|tomorrow|by\ \w+))*
    | (?:i'?ll|i\ will|will)?\ ?(?:do|add|fill|update|finish|write|answer|complete|come\ back\ to|get\ back\ to
        |post)(?:\ (?:this|it|that|me|you|an?|the|my|on|in|answer|response|text)){{0,3}}
        \ (?:later|soon|tomorrow|when\ i\ (?:can|have\ time))
    | (?:please\ )?(?:insert|enter|type|write|add|put|place|paste|provide|fill(?:\ in)?|your)\ (?:(?:an|the|your|some
        |my|a)\ )?{_WHAT}(?:\ (?:here|text|below|goes\ here|please|to\ go\ here))?
    | (?:(?:my|your|the|some|an?)\ )?{_WHAT}\ (?:goes\ |to\ go\ |will\ go\ |will\ be\ |should\ be\ |comes\ 
        |to\ come\ |is\ )?(?:here|follows?|later|pending|below|above)
    | (?:(?:this|it|that)(?:'s|\ is|\ was)\ )?(?:just\ |only\ )?(?:an?\ |the\ )?(?:test(?:ing)?|dummy|placeholder
        |sample|filler|default|example|mock|fake|temp(?:orary)?|stub)
        (?:\ ?(?:text|only|row|entry|data|string|value|content|message|answer|response|output|please\ ignore|ignore
        |case|record|\d{{1,4}}))*
    | (?:ha|he|hi|ho){{2,}}h?|lo+l+z?|h+m+|u+h*m+|u+h+|e+r+m*|m{{2,}}h*m*|a{{2,}}h*|z{{2,}}|x{{2,}}|k{{2,}}|w{{3,}}
        |b+r+|p+f+t*|\w?([a-hj-z])\1{{3,}}
    | (bla+h?|la|na|ya(?:da)?|etc|test(?:ing)?|asdf?|ok|word|text|foo|no\ answer|n/a|none|null|same|stuff|things
        |hello|hi|dada|xx?)(?:[ ,.]{{0,2}}\2){{1,20}}
    | (?:nothing|not\ much|anything|whatever)\ (?:really|comes\ to\ mind|to\ say|to\ add|much|else|you\ (?:want|like))
    | (?:it'?s|that'?s|it\ is|that\ is|this\ is)\ (?:complicated|obvious|a\ secret|hard\ to\ say|up\ to\ you
        |self[- ]explanatory|a\ good\ question|difficult\ to\ say|easy)
    | (?:that'?s|this\ is|it'?s|what)\ an?\ (?:good|great|nice|interesting|tough|hard|difficult)\ (?:question|one)
    | (?:just\ )?(?:google|search|look\ up|ask)\ (?:it|that|this|somebody|someone|an?\ expert|your\ \w+
        |online)(?:\ (?:up|else|online|please|yourself))*
    | (?:already|previously)\ (?:answered|said|given|explained|covered)(?:\ (?:above|before|this|that|elsewhere))?
    | (?:next|skip|ignore|delete|remove|discard)\ (?:this|it|the|one|question|row|entry|please|task)(?:\ (?:one|row
        |entry|question|task|please))?
    | (?:prefer|would\ rather)\ not\ (?:to\ )?(?:say|answer)
    )""",
    re.VERBOSE,
)  # fmt: skip
_KEYS = re.compile(
    "(?:asdf|sdfg|dfgh|fghj|ghjk|hjkl|qwer|qwert|zxcv|xcvb|cvbn|vbnm|rtyu|tyui|yuio|uiop|poiu|lkjh|kjhg|jhgf|hgfd|gfds"
    "|fdsa|mnbv|rewq|ytre|asd|jkl|qwe|sdf|dfg|fgh|[fjdkslghaqwertyzxcvbnm;]{1,3}){1,12}"
)
_RUNS = re.compile(
    "asdf|sdfg|dfgh|fghj|ghjk|hjkl|zxcv|xcvb|cvbn|vbnm|uiop|poiu|lkjh|kjhg|jhgf|hgfd|gfds|fdsa|mnbv|qwer|rewq"
)
_UNSPEAKABLE = re.compile(r"(?=[a-z ]*[bcdfghjklmnpqrstvwxz]{5})[bcdfghjklmnpqrstvwxz]{5,30}")
_ASKS_FOR_SIGNS = re.compile(
    r"\b(?:symbols?|signs?|characters?|punctuation|operators?|emojis?|emoticons?|ascii|mark|arrow|unicode|icon|logo"
    r"|regex"
    r"|morse|binary|code|key|letters?|smiley)\b|[-+*/=<>^&|%]\s*(?:or|and|,)",
    re.IGNORECASE,
)
_ASKS_TO_SAY = re.compile(
    r"\b(?:translat\w*|how (?:do|would|can) (?:you|i|we|one) say|say in|synonyms?|antonyms?|opposite|abbreviat\w*"
    r"|acronym"
    r"|stands? for|slang|spell|prints?|printed|pronounce\w*|rhymes?|unanswerable|label|classif\w*|categor\w+|options?"
    r"|(?:does|do) .{1,60} mean)\b",
    re.IGNORECASE,
)
_GREETED = re.compile(
    r"^\W*(?:hi|hello|hey|thanks?|thank you|bye|good (?:morning|evening|night)|ok"
    r"|okay)\b",
    re.IGNORECASE,
)


def _is_empty(text: str) -> bool:
    """Only white space, control characters, dots and dashes; or a known stand-in for nothing."""
    if len(text) > LONGEST and not text[:LONGEST].isspace():
        return _only_signs(text[:LONGEST], "ZC", ".-_\u2013\u2014\u2026") and _only_signs(
            text, "ZC", ".-_\u2013\u2014\u2026"
        )
    stripped = text.strip().lower()
    return stripped in NO_ANSWER or _only_signs(stripped, "ZC", ".-_\u2013\u2014\u2026")


def _only_signs(text: str, categories: str, others: str) -> bool:
    return all(character in others or unicodedata.category(character)[0] in categories for character in text)


def blank(example: Example) -> Finding | None:
    """A trained answer without content would teach to stop at once; a blank prompt asks nothing."""
    for number, turn in enumerate(example.conversation.turns, 1):
        if turn.is_trained and _is_empty(turn.text):
            shown = f" ({turn.text.strip()})" if turn.text.strip() else ""
            return Finding(example.source, "blank", "drop", f"the answer in turn {number} is blank{shown}")
        if turn.role is Role.USER and not turn.text.strip():
            return Finding(example.source, "blank", "drop", f"the prompt in turn {number} is blank")
    return None


def trivial(example: Example) -> Finding | None:
    """The answer is a stand-in for one (n/a, no idea, see above, asdf) that the question did not offer."""
    for exchange in exchanges(example):
        if exchange.only and len(exchange.answer) <= LONGEST and _says_nothing(exchange):
            return flag(example, "trivial", f"the answer is only {quote(exchange.answer)}")
    return None


def _says_nothing(exchange: Exchange) -> bool:
    answer = exchange.answer.strip()
    text = " ".join(answer.casefold().replace("\u2019", "'").split())
    bare = text.strip(_EDGES)
    if not any(map(str.isalnum, bare)):
        return not (len(answer) == 1 and answer not in "?!*#~") and not _ASKS_FOR_SIGNS.search(exchange.question)
    is_known = bare in _STAND_INS or text in _STAND_INS
    if not is_known and not _SAYS_NOTHING.fullmatch(bare) and not _is_mashed(bare, answer):
        return False
    return not (
        _is_offered(exchange.question, bare)
        or _ASKS_TO_SAY.search(exchange.question)
        or _GREETED.match(exchange.question)
    )


def _is_mashed(bare: str, answer: str) -> bool:
    """Keys pressed at random: runs of neighbours on a keyboard, or small letters that no mouth can say."""
    run = sum(len(hit) for hit in _RUNS.findall(bare))
    if run >= 4 and 2 * run >= len(bare.replace(" ", "")):
        return True
    return answer.islower() and answer.isascii() and bool(_UNSPEAKABLE.fullmatch(bare))


def _is_offered(question: str, answer: str) -> bool:
    named = words(answer)
    return bool(named) and f" {' '.join(named)} " in f" {' '.join(words(question))} "
