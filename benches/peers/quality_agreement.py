#!/usr/bin/env python3
"""Compares the verdicts of limpid's quality functions with datatrove's filters on real documents.

usage: quality_agreement.py DOCS.parquet OURS.parquet [--show N]

DOCS has the columns id and text; OURS the verdicts on (some of) them:

    limpid sql -c "COPY (SELECT id, gopher_quality(text) AS gopher_quality, gopher_repetition(text) AS gopher_repetition,
        c4_quality(text) AS c4_quality, c4_clean(text) AS c4_clean, fineweb_quality(text) AS fineweb_quality
        FROM 'DOCS.parquet' ORDER BY id LIMIT 2000) TO 'OURS.parquet'"

Needs datatrove 0.10 with its word tokenizer: pip install datatrove spacy nltk regex 'xxhash<4' numpy pyarrow
Prints, per filter, how many documents agree on keep and on the first rule broken, and where they differ.
"""
import argparse
import collections

import pyarrow.compute as pc
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

# datatrove's name of a rule -> ours
RULES = {
    "gopher_short_doc": "too_few_words",
    "gopher_long_doc": "too_many_words",
    "gopher_below_avg_threshold": "words_too_short",
    "gopher_above_avg_threshold": "words_too_long",
    "gopher_too_many_hashes": "too_many_hashes",
    "gopher_too_many_ellipsis": "too_many_ellipses",
    "gopher_too_many_bullets": "too_many_bullet_lines",
    "gopher_too_many_end_ellipsis": "too_many_ellipsis_lines",
    "gopher_below_alpha_threshold": "too_few_alphabetic_words",
    "gopher_enough_stop_words": "too_few_stop_words",
    "dup_para_frac": "duplicate_paragraphs",
    "dup_para_char_frac": "duplicate_paragraph_chars",
    "dup_line_frac": "duplicate_lines",
    "dup_line_char_frac": "duplicate_line_chars",
    **{f"top_{n}_gram": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"duplicate_{n}_grams" for n in range(5, 11)},
    "lorem_ipsum": "lorem_ipsum",
    "curly_bracket": "curly_bracket",
    "too_few_sentences": "too_few_sentences",
    "empty": "empty",
    "line_punct_ratio": "too_few_punctuated_lines",
    "short_line_ratio": "too_many_short_lines",
    "char_dup_ratio": "duplicate_line_chars",
    "list_ratio": "too_many_line_feeds",
}
FILTERS = {
    "gopher_quality": GopherQualityFilter,
    "gopher_repetition": GopherRepetitionFilter,
    "c4_quality": C4QualityFilter,
    "fineweb_quality": FineWebQualityFilter,
}


def verdict(filter_, text):
    """datatrove's first broken rule in our words (None when kept), and the text it leaves."""
    doc = Document(text=text, id="0")
    try:
        result = filter_.filter(doc)
    except ZeroDivisionError:
        return "ZeroDivisionError", None
    if isinstance(result, tuple) and not result[0]:
        return RULES[result[1]], None
    return None, doc.text


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("docs")
    args.add_argument("ours")
    args.add_argument("--show", type=int, default=0, help="documents to print where a filter disagrees")
    args = args.parse_args()

    ours = {row["id"]: row for row in pq.read_table(args.ours).to_pylist()}
    docs = pq.read_table(args.docs, columns=["id", "text"])
    docs = docs.filter(pc.is_in(docs["id"], pq.read_table(args.ours, columns=["id"])["id"])).to_pylist()
    print(f"{len(docs)} documents, {sum(len(d['text'].encode()) for d in docs) / 1e6:.1f} MB")
    for name, make in FILTERS.items():
        filter_ = make()
        same_keep = same_rule = kept = same_text = 0
        differ = collections.Counter()
        shown = 0
        for doc in docs:
            theirs, text = verdict(filter_, doc["text"])
            our = ours[doc["id"]][name]
            same_keep += our["keep"] == (theirs is None)
            same_rule += our["failed"] == theirs
            if our["failed"] != theirs:
                differ[theirs, our["failed"]] += 1
                if shown < args.show:
                    shown += 1
                    print("   ", name, doc["id"], "theirs", theirs, "ours", our)
            if name == "c4_quality" and theirs is None and our["keep"]:
                kept += 1
                same_text += ours[doc["id"]]["c4_clean"] == text
        n = len(docs)
        print(f"{name:<18} keep {100 * same_keep / n:7.2f} %   first rule {100 * same_rule / n:7.2f} %   differ: {dict(differ)}")
        if kept:
            print(f"{'c4_clean':<18} text {100 * same_text / kept:7.2f} % of {kept} kept by both")


if __name__ == "__main__":
    main()
