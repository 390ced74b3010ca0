#!/usr/bin/env python3
"""Writes the goldens of the quality kernels: texts of our own, judged by datatrove's filters.

usage: quality.py OUT.json      (udfs/src/kernels/quality/goldens/quality.json)

Needs datatrove 0.10: pip install datatrove spacy nltk regex 'xxhash<4' numpy
"""
import json
import os
import sys

from datatrove.data import Document
from datatrove.utils.text import split_into_sentences, split_into_words

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from quality_agreement import FILTERS, verdict  # noqa: E402

STORY = (
    "The ferry left the harbour at six, and nobody on the quay had noticed that it carried no passengers. "
    "Mr. Ostrow, the night watchman, wrote the time into his book; he didn't look up. "
    "“Another empty one,” he said to the dog. “That's the third this week.” "
    "The dog, who had heard it all before, went back to sleep. "
    "By noon the whole town knew of it, and by evening there were five explanations, e.g. a strike, a wager, or a ghost. "
    "Would it come back? It would not. "
    "Far out at sea the engines stopped, the lights went off one after another, and the radio began to play a waltz."
)
LIST = "\n".join(f"- item {i} of the list and its price" for i in range(1, 30))
CODE = "fn main() {\n    let total = prices.iter().sum::<f64>();\n    println!(\"{total}\");\n}\n" * 4
BILL = "\n".join(f"{i:02}/03 {i * 37 % 91}.{i * 13 % 100:02} {i * 7919 % 1000}" for i in range(40))
SHOUT = "buy now and save! " * 30
PARAGRAPHS = "\n\n".join(["The same words open this letter."] * 4 + [STORY, "A last line that has not been seen."])
PAGE = (
    "Home | About | Contact\n"
    "The river rose by two metres overnight.[3] Nobody had expected that.\n"
    "We use cookies to improve our service.\n"
    "Please enable JavaScript in your browser.\n"
    "Too short.\n"
    "\"We moved the cattle first,\" said the farmer. \"Then we moved ourselves!\"\n"
    "Read more...\n"
    "It took nine days until the water was gone[citation needed].\n"
    "Nothing was left but mud; the insurance paid for some of it.\n"
)
SHORT_LINES = "\n".join(["One short line.", "Another one.", "And a third.", "All of them short."] + [STORY])
FEEDS = "\n\n\n".join(STORY.split(" ")[:40])
ROMANCE = (
    "El tren salió de la estación a las seis y nadie se dio cuenta. ¿Volvería? No volvería nunca más.\n"
    "C’était l’été; les fenêtres étaient ouvertes, et l’on entendait la mer.\n"
    "Die Brücke wurde 1893 gebaut – sie steht noch heute.\n"
    "Мост стоит и сегодня. 橋は今日も残っている。\n"
)
UNIQUE = " ".join(f"{a}{b}" for a in "lamp stone river cloud paper glass iron field winter north".split() for b in "ing er ed s ly ful".split())
PHRASES = ["the old clock above the kitchen door", "a letter that had never been opened", "two of the men from the harbour office"]
LOOP = " ".join(f"{PHRASES[i % 3]} {w}" for i, w in enumerate(UNIQUE.split()))

TEXTS = {
    "empty": "",
    "blank": " \n\t\n",
    "one_word": "word",
    "story": STORY,
    "story_twice": STORY + "\n" + STORY,
    "story_lines": STORY.replace(". ", ".\n"),
    "list": LIST,
    "code": CODE,
    "bill": BILL,
    "shout": SHOUT,
    "paragraphs": PARAGRAPHS,
    "page": PAGE,
    "page_of_story": PAGE + STORY,
    "lorem": STORY + "\nLorem ipsum dolor sit amet, as ever.",
    "bracket": STORY + "\nThe set { 1, 2 } was empty.",
    "short_lines": SHORT_LINES,
    "line_feeds": FEEDS,
    "romance": ROMANCE,
    "romance_long": ROMANCE * 3,
    "unique": UNIQUE,
    "loop": LOOP,
    "hashes": STORY + " #sea #ferry" * 12,
    "ellipses": STORY + " and so on... and on…" * 12,
    "trailing": "\n".join(s + "..." for s in STORY.split(". ")),
    "no_stop_words": " ".join(w for w in STORY.split() if w.lower() not in {"the", "be", "to", "of", "and", "that", "have", "with"}),
    "long_words": " ".join(w * 3 for w in UNIQUE.split()) + " the of",
    "tiny_words": "to be or of in at on up by it so do " * 6 + "the of and",
    "windows_lines": STORY.replace(". ", ".\r\n"),
    "no_punctuation": "\n".join(" ".join(UNIQUE.split()[i : i + 6]) for i in range(0, 60, 6)),
    "addresses": STORY + " See https://example.com/a-b/c?d=e or write to ferry.office@example.com (open 9:30-17:00, $5 p.p.).",
}


def main():
    goldens = []
    for name, text in TEXTS.items():
        row = {"name": name, "text": text, "words": len(split_into_words(text)), "sentences": len(split_into_sentences(text.strip())) if text.strip() else 0}
        for filter_name, make in FILTERS.items():
            failed, kept_text = verdict(make(), text)
            if failed == "ZeroDivisionError":
                continue
            row[filter_name] = failed
            if filter_name == "c4_quality" and failed is None:
                row["c4_clean"] = kept_text
        goldens.append(row)
    with open(sys.argv[1], "w") as out:
        json.dump(goldens, out, ensure_ascii=False, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
