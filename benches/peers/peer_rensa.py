"""rensa. `dedup`: RMinHashDeduplicator with LSH as its README streams it, over word 5-grams: a document goes when a kept one is
estimated at the threshold or above. `rho`: the pipeline of its headline benchmark, on single words: it flags every member of
a group, so the first of a group goes too."""

from common import arguments, batches, shingles, words, write_result
from rensa import RMinHash, RMinHashDeduplicator, RMinHashLSH

PERMUTATIONS, SEED = 128, 42


def dedup(path, threshold):
    index = RMinHashDeduplicator(threshold=threshold, num_perm=PERMUTATIONS, use_lsh=True, num_bands=16, seed=SEED)
    ids, keep, cluster = [], [], []
    for batch_ids, texts in batches(path):
        sketches = RMinHash.from_token_sets([list(shingles(t)) for t in texts], num_perm=PERMUTATIONS, seed=SEED)
        kept = index.add_pairs((str(i), s) for i, s in zip(batch_ids, sketches))
        for i, sketch, k in zip(batch_ids, sketches, kept):
            # Which kept document it was takes one more query.
            matches = [] if k else index.get_duplicates(sketch)
            cluster.append(min(map(int, matches), default=i))
        ids += batch_ids
        keep += kept
    return ids, cluster, keep


def rho(path, threshold):
    ids, tokens = [], []
    for batch_ids, texts in batches(path):
        ids += batch_ids
        tokens += [words(t) for t in texts]
    matrix = RMinHash.digest_matrix_from_token_sets_rho(tokens, PERMUTATIONS, SEED)
    flags = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=8).query_duplicate_flags_matrix_one_shot(matrix)
    return ids, ids, [not f for f in flags]


a = arguments(__doc__, ("dedup", "rho"))
write_result(a.output, *{"dedup": dedup, "rho": rho}[a.mode](a.input, a.threshold))
