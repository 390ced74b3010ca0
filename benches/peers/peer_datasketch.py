"""datasketch: MinHash.generator (128 permutations, xxh3) and MinHashLSH(threshold); every candidate is accepted, as its
documentation does. It is single-threaded."""

import xxhash
from common import Components, arguments, batches, shingles, write_result
from datasketch import MinHash, MinHashLSH


def hash32(data):
    return xxhash.xxh3_64_intdigest(data) & 0xFFFFFFFF


a = arguments(__doc__)
lsh, ids, pairs = MinHashLSH(threshold=a.threshold, num_perm=128), [], []
for batch_ids, texts in batches(a.input):
    sets = ([s.encode() for s in shingles(t)] for t in texts)
    for k, sketch in enumerate(MinHash.generator(sets, num_perm=128, seed=1, hashfunc=hash32), start=len(ids)):
        pairs += [(other, k) for other in lsh.query(sketch)]
        lsh.insert(k, sketch, check_duplication=False)
    ids += batch_ids
components = Components(len(ids))
for x, y in pairs:
    components.union(x, y)
cluster = components.roots()
write_result(a.output, ids, cluster, [c == i for i, c in enumerate(cluster)])
