"""Short passages in many languages, written for this bench: a question, and sentences that answer it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """`question` and `sentences` are in `language`; `english` says the same in short."""

    language: str
    question: str
    sentences: tuple[str, ...]
    english: str


def _passage(language: str, question: str, text: str, english: str) -> Passage:
    return Passage(language, question, tuple(piece.strip() for piece in text.split("|")), english)


PASSAGES = (
    _passage(
        "German",
        "Wie bleibt Brot länger frisch?",
        "Brot bleibt am längsten frisch, wenn es in einem Tontopf liegt und nicht im Kühlschrank. | Ein Sauerteigbrot "
        "hält sich so fast eine Woche, ein Weißbrot nur zwei Tage. | Wer zu viel gekauft hat, schneidet es in Scheiben "
        "und friert es ein.",
        "Bread keeps longest in a clay pot and not in the fridge; what is too much can be sliced and frozen.",
    ),
    _passage(
        "German",
        "Was ist beim Umtausch von Schuhen zu beachten?",
        "Die Rechnung liegt dem Paket bei, Sie müssen also nichts ausdrucken. | Schicken Sie die Schuhe bitte "
        "innerhalb von vierzehn Tagen zurück und kreuzen Sie auf dem Zettel die gewünschte Größe an.",
        "The invoice is in the parcel. Send the shoes back within fourteen days and tick the size you want.",
    ),
    _passage(
        "German",
        "Warum sind Moore wichtig?",
        "Moore speichern mehr Kohlenstoff als alle Wälder zusammen. | Werden sie entwässert, entweicht er wieder, und "
        "zwar über Jahrzehnte hinweg. | Deshalb werden vielerorts Gräben zugeschüttet, damit das Wasser zurückkommt.",
        "Bogs store more carbon than all forests; once drained they give it back over decades.",
    ),
    _passage(
        "French",
        "Comment arroser un potager en été ?",
        "Le mieux est d'arroser tôt le matin, quand la terre est encore fraîche. | Un paillis de foin garde l'humidité "
        "et empêche les mauvaises herbes de pousser. | Les tomates n'aiment pas que l'on mouille leurs feuilles.",
        "Water early in the morning, put down a mulch, and keep the leaves of tomatoes dry.",
    ),
    _passage(
        "French",
        "Quels papiers faut-il pour s'inscrire à la bibliothèque ?",
        "Il suffit d'apporter une pièce d'identité et un justificatif de domicile de moins de trois mois. | La carte "
        "est gratuite pour les enfants, et elle coûte douze euros par an pour les adultes.",
        "Bring an identity card and a proof of address; the card is free for children.",
    ),
    _passage(
        "French",
        "Pourquoi les marées changent-elles ?",
        "La Lune attire l'eau des océans, et la Terre tourne en dessous de ce bourrelet. | Quand le Soleil et la Lune "
        "tirent dans la même direction, la mer monte plus haut que d'habitude.",
        "The Moon pulls on the oceans while the Earth turns beneath; with the Sun in line the tide is higher.",
    ),
    _passage(
        "Spanish",
        "¿Cómo se limpia una cafetera italiana?",
        "Basta con enjuagarla con agua caliente y dejar que se seque desmontada. | El jabón estropea el aluminio y le "
        "da mal sabor al café. | Una vez al mes conviene revisar la goma y la válvula.",
        "Rinse it with hot water and let it dry in pieces; soap spoils the aluminium.",
    ),
    _passage(
        "Spanish",
        "¿Qué hago si mi pedido llega roto?",
        "Haga una foto del paquete antes de abrirlo y otra del daño. | Envíenos las dos por este mismo formulario y le "
        "mandaremos otro ejemplar sin coste en un plazo de tres días.",
        "Take a picture of the parcel and of the damage and send us both; a new one comes free within three days.",
    ),
    _passage(
        "Italian",
        "Come si conserva il basilico?",
        "Il basilico fresco dura una settimana in un bicchiere d'acqua, lontano dal sole diretto. | Se le foglie "
        "cominciano ad annerirsi, meglio frullarle subito con olio e congelarle in piccoli cubetti.",
        "Fresh basil lasts a week in a glass of water; or blend it with oil and freeze it.",
    ),
    _passage(
        "Italian",
        "Che cos'è la bora?",
        "La bora è un vento freddo che scende dall'altopiano verso il mare. | A Trieste soffia a raffiche, e nei "
        "giorni peggiori si tendono delle corde lungo i marciapiedi perché la gente possa reggersi.",
        "The bora is a cold wind that falls from the plateau to the sea.",
    ),
    _passage(
        "Portuguese",
        "Como escolher uma bicicleta para a cidade?",
        "Para andar na cidade não é preciso ter muitas mudanças, mas convém que os travões sejam bons. | Uma bicicleta "
        "com guarda-lamas e luzes fixas poupa muitos aborrecimentos no inverno.",
        "You need few gears in a city, but good brakes, mudguards and fixed lights.",
    ),
    _passage(
        "Portuguese",
        "Posso mudar a data da reserva?",
        "Pode alterar a data até dois dias antes da chegada, sem pagar nada. | Depois disso cobramos a primeira noite, "
        "porque já não conseguimos alugar o quarto a outra pessoa.",
        "The date can be changed free of charge until two days before you arrive.",
    ),
    _passage(
        "Dutch",
        "Hoe vervang ik een lekke band?",
        "Zet de fiets op zijn kop en haal het wiel eruit. | Trek de buitenband er met twee bandenlichters af, pomp de "
        "binnenband op en luister waar de lucht ontsnapt. | Schuur het gat op, plak het dicht en wacht even.",
        "Take the wheel out, lever the tyre off, find the hole, sand it and patch it.",
    ),
    _passage(
        "Polish",
        "Jak przechowywać grzyby?",
        "Świeże grzyby najlepiej trzymać w papierowej torbie, bo w plastiku szybko się psują. | Suszone wytrzymają "
        "nawet dwa lata, jeśli słoik jest szczelny i stoi w ciemnym miejscu.",
        "Keep fresh mushrooms in a paper bag; dried ones last two years in a tight jar.",
    ),
    _passage(
        "Russian",
        "Почему зимой скрипит снег?",
        "Снег скрипит под ногами потому, что ломаются мелкие ледяные кристаллы. | Чем сильнее мороз, тем они твёрже и "
        "тем громче этот звук. | Около нуля снег мокрый и почти не шумит.",
        "Small ice crystals break underfoot; the colder it is, the louder they are.",
    ),
    _passage(
        "Russian",
        "Как вернуть билет на поезд?",
        "Билет можно вернуть в кассе или в личном кабинете не позднее чем за восемь часов до отправления. | Деньги "
        "приходят на карту в течение недели, сбор при этом удерживается.",
        "A ticket can be returned until eight hours before the train leaves; a fee is kept.",
    ),
    _passage(
        "Ukrainian",
        "Коли садити часник?",
        "Часник садять у жовтні, щоб він устиг пустити коріння до морозів. | Зубчики кладуть на глибину п'яти "
        "сантиметрів і накривають соломою.",
        "Garlic is planted in October, five centimetres deep, under straw.",
    ),
    _passage(
        "Swedish",
        "Hur sköter man en kakelugn?",
        "Elda med torr björkved och stäng inte spjället förrän glöden har slocknat. | En sotare bör titta på rökgången "
        "vartannat år, annars kan det bli farligt.",
        "Burn dry birch, and do not shut the damper before the embers are out.",
    ),
    _passage(
        "Turkish",
        "Çay nasıl demlenir?",
        "Önce alttaki demlikte su kaynatılır, sonra çay üstteki demliğe konur. | Üzerine kaynar su döküldükten sonra "
        "on beş dakika kısık ateşte beklenmesi gerekir.",
        "Boil water below, put the tea above, pour boiling water over it and wait a quarter of an hour.",
    ),
    _passage(
        "Japanese",
        "傘を電車に忘れたらどうすればいいですか。",
        "まず、乗った時間と車両を思い出してください。|終点の駅の遺失物係に電話すると、届いているかどうかを調べてもらえます。|一週間を過ぎると警察に送られます。",
        "Remember the time and the carriage and call the lost-property office of the last station.",
    ),
    _passage(
        "Japanese",
        "味噌汁の作り方を教えてください。",
        "鍋に水と昆布を入れて、弱火でゆっくり温めます。|沸騰する前に昆布を取り出し、豆腐とわかめを加えます。|最後に火を止めて味噌を溶かします。",
        "Warm water with kelp, take it out, add tofu and seaweed, and dissolve the miso last.",
    ),
    _passage(
        "Chinese",
        "怎样挑选西瓜?",
        "先看瓜蒂,卷曲而且发绿的比较新鲜。|再用手轻轻敲一敲,声音沉闷的说明已经熟透了。|纹路清楚的瓜通常更甜。",
        "Look at the stalk, knock on it and listen for a dull sound.",
    ),
    _passage(
        "Chinese",
        "订单可以修改地址吗?",
        "发货之前,您可以在订单页面自行修改收货地址。|如果包裹已经寄出,请直接联系快递公司,他们会帮您转寄。",
        "You can change the address before it is sent; after that, ask the courier.",
    ),
    _passage(
        "Korean",
        "김치는 어디에 보관하나요?",
        "김치는 공기가 들어가지 않는 통에 담아 냉장고 아래 칸에 두는 것이 좋습니다. | "
        "온도가 자주 바뀌면 맛이 빨리 시어집니다.",
        "Keep kimchi in a tight box at the bottom of the fridge.",
    ),
    _passage(
        "Arabic",
        "كيف أنظف السجادة؟",
        "انفض السجادة في الهواء الطلق أولاً، ثم امسحها بقطعة قماش مبللة بالماء والخل. | "
        "اتركها تجف في الظل لأن الشمس تغير ألوانها.",
        "Beat it outside, wipe it with water and vinegar, and dry it in the shade.",
    ),
    _passage(
        "Greek",
        "Πότε μαζεύουν τις ελιές;",
        "Οι ελιές μαζεύονται από τον Οκτώβριο μέχρι τον Ιανουάριο, ανάλογα με την ποικιλία. | Όσο πιο νωρίς, τόσο πιο "
        "πικάντικο βγαίνει το λάδι.",
        "Olives are picked from October to January.",
    ),
    _passage(
        "Czech",
        "Jak naladit kytaru?",
        "Začněte nejhlubší strunou a porovnejte ji s ladičkou v telefonu. | Když je tón příliš vysoký, strunu nejdřív "
        "povolte a pak ji pomalu dotahujte.",
        "Begin with the lowest string and compare it with a tuner.",
    ),
    _passage(
        "Finnish",
        "Miten sauna lämmitetään?",
        "Sytytä kuivat koivuhalot ja anna pellin olla auki koko ajan. | Tunnin kuluttua kivet ovat tarpeeksi kuumia, "
        "ja vettä voi heittää vähän kerrallaan.",
        "Light dry birch with the damper open; after an hour the stones are hot.",
    ),
)

ASKED = (
    "Answer in {language}.",
    "Please reply in {language}.",
    "Write your answer in {language}, please.",
    "(in {language})",
    "I only speak {language}, so please use that.",
    "Your response must be in {language}.",
    "Respond in {language} only.",
    "Explain it to me in {language}.",
)
"""Requests for a language by name, after an instruction."""
