# SPDX-License-Identifier: Apache-2.0
"""Dictionary entries and questions about words, made from WordNet for the most frequent headwords."""
import collections
import re

from .document import Chat, Text
from .text import article, capitalized, listed, shortened, stable_hash, unfit

_DEFINITION_MAX = 200  # characters: an answer ends within a glance
_PERSON = 18           # WordNet's number of the field


class Usage:
    """How words are used in running text: how often, and whether one says 'a W'."""

    def __init__(self, texts):
        self.count, self.counted, self.bare = (collections.Counter() for _ in range(3))
        for text in texts:
            words = re.findall(r"[a-z]+|[^a-z\s]", text.lower())
            self.count.update(words)
            for former, word, following in zip([""] + words, words, words[1:] + [""]):
                if former in ("a", "an", "one", "every", "each", "another"):
                    self.counted[word] += 1
                # 'of W,' but not 'of W things': there W only says which things.
                elif former in ("of", "in", "with", "from", "by", "for", "and", "much") and not following.isalpha():
                    self.bare[word] += 1

    def countable(self, word):
        counted, bare = self.counted[word], self.bare[word]
        if counted + bare < 4:
            return not re.search(r"(ness|ity|ism|ology|graphy|ics|ance|ence|ing|ment|ship|hood)$", word)
        return 8 * counted > bare


class Lexicon:
    """WordNet, cut to words that people use."""

    def __init__(self, wordnet, usage, size):
        self.wordnet, self.usage = wordnet, usage
        common = {word for word, _ in wordnet.senses if re.fullmatch(r"[a-z]{3,}", word)}
        self.words = sorted(common, key=lambda word: (-usage.count[word], word))[:size]
        self.known = set(self.words)

    def senses(self, word, pos):
        """Fit senses, spelled in lower case as the word is: 'turkey' the bird, not the country."""
        return [synset for synset in self.wordnet.senses.get((word, pos), [])
                if word in synset.words and not unfit(synset.definition)]

    def first_known(self, synsets, but=()):
        """The first word of each synset that a reader knows."""
        found = []
        for synset in synsets:
            word = next((w for w in synset.words if all(part in self.known for part in w.split())), None)
            if word and word not in but and word not in found:
                found.append(word)
        return found


def entries(lexicon):
    """'horse (noun): definition of the first sense. Also: that of the second. Synonyms: …'

    The first meaning follows the colon at once: the n-grams there are those of the headword.
    """
    for word in lexicon.words:
        for pos in ("noun", "verb", "adjective", "adverb"):
            senses = lexicon.senses(word, pos)
            if not senses:
                continue
            text = f"{word} ({pos}): {shortened(senses[0].definition, _DEFINITION_MAX)}"
            if len(senses) > 1 and len(text) + len(senses[1].definition) < _DEFINITION_MAX:
                text += " Also: " + shortened(senses[1].definition, _DEFINITION_MAX)
            same = [w for w in senses[0].words if w != word][:3]
            if same:
                text += f" Synonyms: {', '.join(same)}."
            yield Text("dictionary", text)


def pick(word, phrasings, count):
    """The first phrasing and `count` of the others, which ones depending on the word."""
    first, *others = phrasings
    turn = stable_hash(word) % len(others)
    return [first] + (others[turn:] + others[:turn])[:count]


def define_noun(lexicon, word, synset):
    countable = lexicon.usage.countable(word)
    subject = f"{article(word)} {word}" if countable else word
    kinds = [w for wider in lexicon.wordnet.related(synset, "kind_of") for w in wider.words[:1] if w != word]
    definition = shortened(synset.definition, _DEFINITION_MAX)
    answer = f"{capitalized(subject)} is {f'a kind of {kinds[0]}: ' if kinds else ''}{definition}"
    asked = [f"What is {subject}?", f"Define {word}.", f"What is {word}?", f'What does "{word}" mean?',
             f"what is {subject}", f"What does {word} mean?", f"Explain what {subject} is."]
    return list(dict.fromkeys(asked)), answer


def define_other(word, pos, synset):
    definition = shortened(synset.definition, _DEFINITION_MAX)
    answer = f"To {word} is to {definition}" if pos == "verb" else f'"{capitalized(word)}" means {definition}'
    asked = [f'What does "{word}" mean?', f"Define {word}.", f"What does {word} mean?",
             f"What is the meaning of {word}?"]
    return (asked + [f"What does it mean to {word}?"] if pos == "verb" else asked), answer


def definitions(lexicon, but=()):
    """→ (word, phrasings, answer) for each word, by its most usual part of speech."""
    for word in lexicon.words:
        if word in but:
            continue
        by_pos = {pos: lexicon.senses(word, pos) for pos in ("noun", "verb", "adjective", "adverb")}
        pos = max(by_pos, key=lambda p: (len(by_pos[p]), p == "noun"))
        if by_pos["noun"] and len(by_pos["noun"]) * 2 >= len(by_pos[pos]):
            pos = "noun"
        if by_pos[pos]:
            yield word, *(define_noun(lexicon, word, by_pos[pos][0]) if pos == "noun"
                          else define_other(word, pos, by_pos[pos][0]))


def relations(lexicon):
    """→ (word, phrasings, answer): opposites, synonyms, kinds, parts."""
    for word in lexicon.words:
        senses = [synset for pos in ("adjective", "noun", "verb", "adverb") for synset in lexicon.senses(word, pos)]
        yield from _between_words(lexicon, word, senses)
        nouns = [synset for synset in senses if synset.pos == "noun"]
        if nouns:
            yield from _around_noun(lexicon, word, nouns[0])


def _between_words(lexicon, word, senses):
    opposite = [w for synset in senses for w in lexicon.wordnet.opposites(synset, word) if w in lexicon.known]
    if opposite:
        asked = [f'What is the opposite of "{word}"?', f"opposite of {word}", f"What is the opposite of {word}?",
                 f'Give me an antonym for "{word}".']
        yield word, asked, f'The opposite of "{word}" is "{opposite[0]}".'
    same = [w for synset in senses for w in synset.words if w != word and w in lexicon.known]
    if same:
        asked = [f'Give me a synonym for "{word}".', f"synonym of {word}", f'What is another word for "{word}"?',
                 f"What is a synonym for {word}?"]
        yield word, asked, f'A synonym for "{word}" is "{same[0]}".'


def _around_noun(lexicon, word, synset):
    kinds = lexicon.first_known(lexicon.wordnet.related(synset, "kinds"), but=(word,))
    if len(kinds) >= 3:
        usual = sorted(kinds, key=lambda w: (len(w.split()), -lexicon.usage.count[w.split()[0]]))[:6]
        asked = [f"Name some kinds of {word}.", f"What kinds of {word} are there?", f"kinds of {word}"]
        yield word, asked, f"Some kinds of {word} are {listed(usual)}."
    parts = lexicon.first_known(lexicon.wordnet.related(synset, "parts"), but=(word,))
    if len(parts) >= 2:
        subject = f"{article(word)} {word}"
        asked = [f"What are the parts of {subject}?", f"Name some parts of {subject}.", f"parts of {subject}"]
        yield word, asked, f"Parts of {subject} are {listed(parts[:6])}."


def questions(lexicon, phrasings, defined_elsewhere):
    """→ (word, chats), the first phrasing and `phrasings` others, of all questions about words."""
    for word, asked, answer in (*definitions(lexicon, defined_elsewhere), *relations(lexicon)):
        yield word, [Chat("words", ((question, answer),)) for question in pick(word, asked, phrasings)]


def people(wordnet):
    """→ (name, chats) of the people in WordNet."""
    seen = set()
    for synset in wordnet.synsets.values():
        name = max(synset.words, key=len)
        if synset.field != _PERSON or "instance_of" not in synset.relations or name in seen or unfit(synset.definition):
            continue
        seen.add(name)
        definition = shortened(re.sub(r"^\(.*?\) ", "", synset.definition), _DEFINITION_MAX)
        kind = definition if re.match(r"(a|an|the|one) ", definition) else f"{article(definition)} {definition}"
        yield name, [Chat("people", ((question, f"{name} was {kind}"),))
                     for question in pick(name, [f"Who was {name}?", f"Who is {name}?", f"Tell me about {name}."], 0)]
