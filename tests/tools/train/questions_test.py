#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the trainer asks and tells: facts from the tables, questions from a small WordNet, English around them."""
import collections
import sys
import unittest

sys.path.insert(0, "tools/train")

from engram_train.data import facts, text, words  # noqa: E402
from engram_train.data.document import KINDS  # noqa: E402
from engram_train.data.wordnet import Synset  # noqa: E402


class TestText(unittest.TestCase):
    def test_articles(self):
        for word, expected in (("horse", "a"), ("hour", "an"), ("apple", "an"), ("university", "a"), ("uncle", "an"),
                               ("unit", "a"), ("European", "a"), ("one", "a"), ("honest man", "an"), ("user", "a"),
                               ("umbrella", "an"), ("uninteresting", "an"), ("house", "a")):
            self.assertEqual(text.article(word), expected, word)

    def test_shortened_at_a_semicolon(self):
        self.assertEqual(text.shortened("one; two; three", 9), "one; two.")
        self.assertEqual(text.shortened("a very long first part; two", 9), "a very long first part.")
        self.assertEqual(text.shortened("ends itself!", 99), "ends itself!")

    def test_listed(self):
        self.assertEqual([text.listed(x) for x in (["a"], ["a", "b"], ["a", "b", "c"])], ["a", "a and b", "a, b and c"])

    def test_names_with_article(self):
        for name in ("Netherlands", "United States", "Cayman Islands", "Czech Republic"):
            self.assertEqual(text.named(name), "the " + name)
        self.assertEqual(text.named("Unite"), "Unite")

    def test_hash_is_the_published_one(self):
        self.assertEqual(text.stable_hash("a"), 0xE40C292C)  # FNV-1a's test vector


class TestTables(unittest.TestCase):
    def test_countries_are_whole(self):
        rows = facts.countries()
        names = [row["country"] for row in rows]
        self.assertEqual(len(set(names)), len(names))
        self.assertGreater(len(rows), 190)
        by_name = {row["country"]: row for row in rows}
        self.assertEqual((by_name["Kenya"]["capital"], by_name["Kenya"]["continent"]), ("Nairobi", "Africa"))
        continents = {"Africa", "Antarctica", "Asia", "Europe", "North America", "Oceania", "South America"}
        self.assertEqual({row["continent"] for row in rows} - {""}, continents)
        for row in rows:
            for value in row.values():
                self.assertEqual(value, value.strip(), row)
                self.assertNotRegex(value, r"[()\[\]]|note:", row)

    def test_elements_are_numbered(self):
        rows = facts.elements()
        self.assertEqual([int(row["number"]) for row in rows], list(range(1, len(rows) + 1)))
        self.assertEqual((rows[25]["symbol"], rows[25]["name"]), ("Fe", "iron"))
        self.assertEqual(len({row["symbol"] for row in rows}), len(rows))


class TestFacts(unittest.TestCase):
    def test_no_question_has_two_answers(self):
        answers = collections.defaultdict(set)
        for fact in facts.all_facts():
            for question in fact.questions:
                answers[question.lower()].add(fact.answer)
        self.assertEqual({q: a for q, a in answers.items() if len(a) > 1}, {})

    def test_a_quarter_keeps_a_phrasing_that_is_not_the_usual_one(self):
        unseen = [fact.unseen for fact in facts.all_facts()]
        kept = [index for index in unseen if index is not None]
        self.assertNotIn(0, kept)
        self.assertTrue(0.15 < len(kept) / len(unseen) < 0.35)

    def test_follow_ups_are_answered_about_the_right_thing(self):
        talks = list(facts.conversations())
        self.assertTrue(all(talk.kind in KINDS and len(talk.turns) == 2 for talk in talks))
        kenya = [talk.turns for talk in talks if talk.turns[0][0] == "What is the capital of Kenya?"]
        self.assertIn((("What is the capital of Kenya?", "The capital of Kenya is Nairobi."),
                       ("And on which continent is it?", "Kenya is in Africa.")), kenya)

    def test_chinese(self):
        turns = [chat.turns[0] for chat in facts.chinese_questions()]
        self.assertIn(("法国的首都是哪里？", "法国的首都是巴黎。"), turns)


class SmallWordNet:
    """Three synsets: a horse is an equine, a pony is a horse; hot is the opposite of cold."""

    def __init__(self):
        def synset(pos, names, definition, **relations):
            return Synset(pos, 5, names, definition, relations)
        self.horse = synset("noun", ["horse", "Equus caballus"], "solid-hoofed quadruped")
        self.equine = synset("noun", ["equine"], "hoofed mammal")
        self.rain = synset("noun", ["rain", "rainfall"], "water falling in drops")
        self.hot = synset("adjective", ["hot"], "of high temperature")
        self.cold = synset("adjective", ["cold"], "of low temperature")
        self.run = synset("verb", ["run"], "move fast")
        everything = (self.horse, self.equine, self.rain, self.hot, self.cold, self.run)
        self.senses = {(s.word, s.pos): [s] for s in everything}
        self.senses["horse", "noun"].append(synset("noun", ["horse"], "a padded apparatus"))
        self.senses["rainfall", "noun"] = [self.rain]

    def related(self, synset, relation):
        return [self.equine] if synset is self.horse and relation == "kind_of" else []

    def opposites(self, synset, word):
        return {"hot": ["cold"], "cold": ["hot"]}.get(word, [])


class TestWords(unittest.TestCase):
    def setUp(self):
        usage = words.Usage(["a horse ran; a horse and an equine", "much rain, of rain, with rain and rain."] * 3)
        self.lexicon = words.Lexicon(SmallWordNet(), usage, 50)

    def test_entries_begin_with_the_first_meaning(self):
        entries = [entry.text for entry in words.entries(self.lexicon)]
        self.assertIn("horse (noun): solid-hoofed quadruped. Also: a padded apparatus. Synonyms: Equus caballus.",
                      entries)
        self.assertIn("hot (adjective): of high temperature.", entries)

    def test_definitions_know_what_can_be_counted(self):
        told = {word: (asked, answer) for word, asked, answer in words.definitions(self.lexicon)}
        self.assertEqual(told["horse"][0][0], "What is a horse?")
        self.assertEqual(told["horse"][1], "A horse is a kind of equine: solid-hoofed quadruped.")
        self.assertEqual(told["rain"][0][0], "What is rain?")
        self.assertEqual(told["rain"][1], "Rain is water falling in drops.")
        self.assertEqual(told["run"][1], "To run is to move fast.")

    def test_relations(self):
        answers = [answer for _, _, answer in words.relations(self.lexicon)]
        self.assertIn('The opposite of "hot" is "cold".', answers)
        self.assertIn('A synonym for "rain" is "rainfall".', answers)

    def test_picks_are_stable_and_keep_the_usual_phrasing(self):
        asked = ["usual", "b", "c", "d"]
        self.assertEqual(words.pick("x", asked, 2), words.pick("x", asked, 2))
        for word in "abcdefgh":
            picked = words.pick(word, asked, 2)
            self.assertEqual((picked[0], len(picked), len(set(picked))), ("usual", 3, 3))


if __name__ == "__main__":
    unittest.main()
