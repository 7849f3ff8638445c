"""Deal cards to a writer: what each pair of conversations is about, before a word is written.

Left alone, a writer tells the same ten stories, lets every harmless conversation be saved by a parent
and every grooming one ask for secrecy. A card fixes setting, people, pace, length and signs of a pair by
seeded chance, the same length and register for both sides, so that neither topic nor surface carries
the label. A card is never text.
"""

from __future__ import annotations

import random

SETTINGS = (
    "football club",
    "swimming club",
    "judo or karate",
    "dance school",
    "gymnastics",
    "horse yard",
    "climbing hall",
    "chess app",
    "block-building game server",
    "shooter game lobby",
    "football manager game",
    "mobile game clan",
    "game skins market",
    "drawing and comics forum",
    "fan fiction site",
    "K-pop or band fandom",
    "anime fandom",
    "football fan group",
    "short-video app comments",
    "photo app direct message",
    "live-stream chat",
    "study-help app",
    "language exchange",
    "homework group",
    "school band",
    "choir",
    "theatre group",
    "school paper",
    "exchange year abroad",
    "scouts or youth group",
    "parish or mosque or temple youth",
    "volunteer work",
    "animal shelter",
    "dog walking",
    "babysitting",
    "newspaper round or summer job",
    "bakery or cafe job",
    "modelling or casting",
    "music producer or talent show",
    "sneakers resale",
    "second-hand marketplace",
    "phone repair shop",
    "bicycle workshop",
    "library",
    "museum or science club",
    "coding club",
    "robotics contest",
    "school bus",
    "commuter train",
    "bus driver or shop keeper on the way to school",
    "neighbour next door",
    "caretaker of the block",
    "holiday camp",
    "camp site or beach holiday",
    "hotel or campsite entertainer",
    "friend of a brother",
    "friend of a sister",
    "friend of the parents",
    "colleague of a parent",
    "new partner of a parent",
    "uncle, aunt or cousin",
    "cousin abroad",
    "godparent",
    "family wedding",
    "parents' divorce",
    "new town, new school",
    "grandparent in hospital",
    "hospital or clinic stay",
    "dentist or doctor's reception",
    "physiotherapy",
    "driving moped licence",
    "maths tutor",
    "private music lessons",
    "class teacher",
    "substitute teacher",
    "former teacher",
    "school counsellor",
    "helpline or peer support",
    "grief after a loss",
    "bullying at school",
    "body and looks worries without detail",
    "running away thoughts",
    "strict home",
    "first love, same age",
    "older crush",
    "online friend from another city",
    "friend of a friend added on a chat app",
    "wrong number",
    "lost and found object",
    "lost pet",
    "charity or fundraising",
    "competition or giveaway",
    "influencer and follower",
    "photographer",
    "tattoo-free henna or hairdresser",
    "fitness plan",
    "sports scout abroad",
    "football trial abroad",
    "au pair or work abroad",
    "scholarship or boarding school",
    "refugee or newcomer family help",
    "farm or harvest work",
    "market stall",
    "taxi or lift share",
    "cinema or concert tickets",
    "birthday surprise",
    "class trip",
    "carnival or village feast",
    "street football",
    "skate park",
    "fishing or hiking",
    "gaming cafe",
    "esports team",
    "roleplay chat server",
    "card trading",
    "model trains or collecting",
    "astronomy or photography hobby",
    "cooking videos",
    "plant and garden group",
    "prayer or study circle",
)
GROOMERS = (
    "peer who is not one",
    "older teen",
    "adult coach",
    "gamer",
    "scout or recruiter",
    "family friend",
    "teacher or tutor",
    "fan or influencer",
    "helper in distress",
    "benefactor with gifts",
    "online love",
    "neighbour",
    "relative by marriage",
    "employer",
    "older woman",
    "youth leader",
    "friend of a sibling",
    "stranger by accident",
)
HARMLESS = (
    "peer",
    "parent",
    "sibling",
    "coach",
    "teacher",
    "gamer",
    "shop",
    "clinic",
    "helpline",
    "employer",
    "fandom",
    "crush",
    "relative",
    "stranger",
    "neighbour",
    "club",
    "grandparent",
    "friend's parent",
    "older cousin",
    "classmate in a quarrel",
)
SIGNS = {
    "age_probe": 5,
    "personal_probe": 5,
    "supervision_probe": 5,
    "flattery": 5,
    "isolation": 4,
    "secrecy": 7,
    "platform_move": 5,
    "inducement": 6,
    "recruitment": 2,
    "image_request": 5,
    "meeting": 6,
    "coercion": 5,
}
CONFUSABLE = (
    "a secret that is fine",
    "asks the age for a reason",
    "asks for a photo that is fine",
    "a photo of the child for fun between peers",
    "arranges to meet",
    "a gift or money",
    "moves to another app",
    "asks who is at home",
    "asks to delete or not forward something",
    "praise",
    "guilt or an ultimatum in jest or in anger",
    "asks for address or school for a reason",
    "a job or contract",
    "comfort: I understand you",
    "complains about parents or friends together",
    "banter, insults or swearing among friends",
    "threats inside a game or a joke",
    "late at night",
    "flirting of same-age peers",
    "an adult stranger who is simply correct",
)
ADULTS_GROOMING = (
    "parents know and trust the contact",
    "the child mentions a parent in passing",
    "no parent comes up",
    "the contact speaks warmly of the parents",
    "no parent comes up",
)
ADULTS_HARMLESS = (
    "no adult comes up at all",
    "a parent comes up in passing only",
    "a parent is in the loop",
    "no adult comes up at all",
    "the child complains about a parent and nobody calms it",
)
REACTIONS = (
    "goes along",
    "hesitates",
    "refuses",
    "jokes",
    "changes the subject",
    "asks questions back",
    "is enthusiastic",
    "says little",
    "tells or will tell someone",
    "is annoyed",
)
PACES = ((9, 12), (12, 15), (12, 15), (14, 18), (14, 18), (18, 24), (28, 38))
LENGTHS = (
    "contact 20-40, child 10-30",
    "contact 40-70, child 20-40",
    "contact 40-70, child 40-70",
    "contact 70-110, child 30-50",
    "contact 90-140, child 60-100",
    "contact 25-50, child 40-80",
)
REGISTERS = (
    "no emoji, little punctuation, lower case",
    "some emoji",
    "neat spelling and punctuation",
    "abbreviations and typos",
    "many short bursts from both sides",
    "code-switching or slang of the region",
)


def deal(lang: str, count: int, seed: int) -> list[str]:
    """Return ``count`` cards, one a pair; el, bg and bn are also dealt Latin transliteration."""
    latin = lang in ("el", "bg", "bn")
    rng = random.Random(f"{lang} {seed}")
    settings = rng.sample(SETTINGS, len(SETTINGS))
    return [_card(rng, settings[n % len(settings)], n + 1, latin) for n in range(count)]


def _card(rng: random.Random, setting: str, number: int, latin: bool) -> str:
    low, high = rng.choice(PACES)
    names = list(SIGNS)
    signs = sorted({rng.choices(names, list(SIGNS.values()))[0] for _ in range(rng.choice((3, 3, 4, 5, 6)))})
    if len(signs) < 2:
        signs.append("meeting" if signs[0] != "meeting" else "secrecy")
    shape = (
        f"{rng.randint(low, high)} messages each, about {rng.choice(LENGTHS)} characters a message"
        f", {rng.choice(REGISTERS)}, {rng.choice(('contact', 'contact', 'child'))} writes first"
        f", {rng.choice(('starts in the middle of an acquaintance', 'starts as strangers or new contact'))}"
        + (", spread over days" if rng.random() < 0.3 else "")
        + (", Latin transliteration" if latin and rng.random() < 0.35 else "")
    )
    return (
        f"{number}. {setting}; child {rng.randint(8, 17)}, {rng.choice(('girl', 'boy'))}; {shape}\n"
        f"   grooming: {rng.choice(GROOMERS)}; signs {', '.join(signs)}; {rng.choice(ADULTS_GROOMING)};"
        f" child {rng.choice(REACTIONS)}\n"
        f"   harmless: {rng.choice(HARMLESS)}; {', '.join(rng.sample(CONFUSABLE, rng.choice((2, 3, 3))))};"
        f" {rng.choice(ADULTS_HARMLESS)}; child {rng.choice(REACTIONS)}"
    )
