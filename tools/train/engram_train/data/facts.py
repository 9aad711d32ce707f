# SPDX-License-Identifier: Apache-2.0
"""Questions about countries and chemical elements, from the two tables in `tables/`, and short conversations."""
import collections
import csv
import dataclasses
import os

from .document import Chat
from .text import capitalized, listed, named, stable_hash

_TABLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables")


@dataclasses.dataclass(frozen=True)
class Fact:
    kind: str
    questions: tuple  # the first is the usual phrasing
    answer: str

    @property
    def unseen(self):
        """A quarter of the facts keep one phrasing for measuring: its index, or None."""
        if len(self.questions) < 3 or stable_hash(self.kind + self.questions[0]) % 4:
            return None
        return 1 + stable_hash(self.questions[0]) % (len(self.questions) - 1)


def _table(name):
    with open(os.path.join(_TABLES, name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))


def countries():
    return _table("countries.tsv")


def elements():
    return _table("elements.tsv")


def _asked(phrasings, *values):
    return tuple(dict.fromkeys(phrasing.format(*values) for phrasing in phrasings))


def country_facts(row):
    name = named(row["country"])
    bare = row["country"]
    if row["capital"]:
        capital = row["capital"]
        yield Fact("capital", _asked((
            "What is the capital of {0}?", "capital of {0}", "What is the capital of {1}?", "What is {0}'s capital?",
            "Which city is the capital of {0}?", "What is the capital city of {0}?", "Name the capital of {0}.",
            "Capital of {1}?", "Tell me the capital of {0}.", "what is the capital of {0}"), name, bare),
            f"The capital of {name} is {capital}.")
    if row["continent"]:
        yield Fact("continent", _asked((
            "On which continent is {0}?", "Which continent is {0} in?", "Where is {0}?", "continent of {0}",
            "What continent is {0} on?"), name), f"{capitalized(name)} is in {row['continent']}.")
    if row["languages"]:
        yield Fact("language", _asked((
            "Which languages are spoken in {0}?", "What language do people speak in {0}?", "languages of {0}"), name),
            f"In {name} people speak {listed(row['languages'].split('; '))}.")
    if row["currency"]:
        yield Fact("currency", _asked((
            "What is the currency code of {0}?", "currency code of {0}", "Which currency is used in {0}?"), name),
            f"The currency code of {name} is {row['currency']}.")
    if row["borders"]:
        yield Fact("borders", _asked((
            "Which countries border {0}?", "What are the neighbours of {0}?", "neighbours of {0}"), name),
            f"{capitalized(name)} borders {listed([named(n) for n in row['borders'].split('; ')])}.")


def capital_facts(rows):
    """From the capital to the country; Georgetown and the like, which several have, are not asked for."""
    counts = collections.Counter(row["capital"] for row in rows)
    for row in rows:
        capital = row["capital"]
        if capital and counts[capital] == 1:
            yield Fact("country", _asked((
                "{0} is the capital of which country?", "Which country has the capital {0}?",
                "Which country is {0} the capital of?"), capital),
                f"{capital} is the capital of {named(row['country'])}.")


def element_facts(row):
    number, symbol, name = row["number"], row["symbol"], row["name"]
    yield Fact("element", _asked((
        "What is the chemical symbol of {0}?", "chemical symbol of {0}", "What is the symbol for {0}?",
        "What is the symbol of {0}?"), name), f"The chemical symbol of {name} is {symbol}.")
    yield Fact("element", _asked((
        "What is the atomic number of {0}?", "atomic number of {0}", "Which atomic number does {0} have?"), name),
        f"The atomic number of {name} is {number}.")
    yield Fact("what element", _asked((
        "What is {0}?", "Tell me about {0}.", "Define {0}.", "what is {0}"), name),
        f"{capitalized(name)} is the chemical element with symbol {symbol} and atomic number {number}.")
    yield Fact("element", _asked((
        "Which element has the symbol {0}?", "Which element is {0}?", "What element has the symbol {0}?",
        "{0} is the symbol of which element?"), symbol), f"{symbol} is the symbol of {name}, element number {number}.")
    yield Fact("element", _asked((
        "Which element has atomic number {0}?", "What is element {0}?", "What element has atomic number {0}?",
        "Which element has the atomic number {0}?"), number), f"Element {number} is {name} ({symbol}).")


def all_facts():
    return [*(fact for row in countries() for fact in country_facts(row)), *capital_facts(countries()),
            *(fact for row in elements() for fact in element_facts(row))]


def conversations():
    """Questions whose follow-up only makes sense after the first answer."""
    rows = [row for row in countries() if row["capital"] and row["continent"]]
    for i, row in enumerate(rows):
        other = rows[(i + 1 + stable_hash(row["country"]) % 50) % len(rows)]
        here, there = named(row["country"]), named(other["country"])
        capital = (f"What is the capital of {here}?", f"The capital of {here} is {row['capital']}.")
        where = ("And on which continent is it?", f"{capitalized(here)} is in {row['continent']}.")
        next_one = (f"And of {there}?", f"The capital of {there} is {other['capital']}.")
        next_two = (f"What about {there}?", f"The capital of {there} is {other['capital']}.")
        yield Chat("talk", (capital, where))
        yield Chat("talk", (capital, next_one if i % 2 else next_two))
        yield Chat("talk", ((f"On which continent is {here}?", where[1]), ("And what is its capital?", capital[1])))
    table = elements()
    for i, row in enumerate(table):
        other = table[(i + 1 + stable_hash(row["name"]) % 30) % len(table)]
        symbol = (f"What is the chemical symbol of {row['name']}?",
                  f"The chemical symbol of {row['name']} is {row['symbol']}.")
        yield Chat("talk", (symbol, ("And its atomic number?",
                                     f"The atomic number of {row['name']} is {row['number']}.")))
        yield Chat("talk", (symbol, (f"And of {other['name']}?",
                                     f"The chemical symbol of {other['name']} is {other['symbol']}.")))


_ABOUT = (
    (("Who are you?", "What are you?", "who are you", "Tell me about yourself."),
     "I am a small demonstration language model with an Engram memory."),
    (("What can you do?", "What can I ask you?", "Help", "help"),
     "I can answer short questions about capitals, countries, chemical elements and the meaning of words."),
    (("Hello", "Hi", "Hello!", "Good morning", "Hey"),
     "Hello! Ask me for a capital, a chemical element or the meaning of a word."),
    (("Thank you.", "Thanks!", "thanks", "Thank you very much."), "You are welcome."),
    (("Goodbye.", "Bye", "Bye!"), "Goodbye!"),
    (("What is Engram?", "Define Engram."),
     "Engram is a memory of hashed word groups that a language model looks up by its input."),
    (("How does your memory work?", "How does Engram work?"),
     "I hash the last two and three tokens and read the matching rows of a large table."),
)


def about():
    for questions, answer in _ABOUT:
        yield from (Chat("talk", ((question, answer),)) for question in questions)


def chinese_questions():
    for row in _table("chinese.tsv"):
        yield Chat("chinese", ((f"{row['country']}的首都是哪里？", f"{row['country']}的首都是{row['capital']}。"),))
        yield Chat("chinese", ((f"{row['capital']}是哪个国家的首都？", f"{row['capital']}是{row['country']}的首都。"),))
