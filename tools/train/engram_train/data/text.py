# SPDX-License-Identifier: Apache-2.0
"""Small things about English and about hashing that the question makers share."""
import re

# Glosses say of themselves what a demo had better not say.
_UNFIT = re.compile(r"slur|obscene|vulgar|derogat|offensive|disparag|genital|prostitut|sexual|copulat|excrement|"
                    r"masturbat|pornograph|rapist|faeces|feces", re.I)
# Countries and the like that take the article, as they are found in the tables.
_WITH_ARTICLE = re.compile(r"^(United |British |Democratic Rep|Republic of|Central African|Vatican)|"
                           r"(Islands|Netherlands|Philippines|Bahamas|Gambia|Maldives|Comoros|Seychelles)$|"
                           r"(Czech|Dominican) Rep")


def stable_hash(text):
    """The same number in every process (FNV-1a, 32 bits)."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def unfit(text):
    return _UNFIT.search(text) is not None


def capitalized(text):
    return text[:1].upper() + text[1:]


def named(place):
    """'Netherlands' → 'the Netherlands'"""
    return f"the {place}" if _WITH_ARTICLE.search(place) else place


def listed(items):
    """'a, b and c'"""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def article(word):
    """'a' or 'an', by sound as far as spelling tells it."""
    if re.match(r"(uni([^nm]|mp)|us[eau]|eu|ewe|one|once|ut[ei])", word, re.I):
        return "a"
    return "an" if re.match(r"([aeiou]|hour|heir|honou?r|honest)", word, re.I) else "a"


def shortened(text, limit):
    """The parts between semicolons that fit in `limit` characters, at least one, with a full stop."""
    parts = text.split("; ")
    kept = parts[0]
    for part in parts[1:]:
        if len(kept) + len(part) + 2 > limit:
            break
        kept += "; " + part
    kept = kept.rstrip(" ;:,")
    return kept if kept.endswith((".", "!", "?")) else kept + "."
