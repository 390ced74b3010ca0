"""Daft: reading, normalising and the MinHash signature are Daft expressions (112 hashes of word 5-grams). It has neither
an LSH nor a components operator, so the 14 bands of 8 and the union-find are ours, in NumPy (its guide's loop of joins is slower)."""

import daft
import numpy as np
from common import NGRAM, arguments, components_of_bands, write_result
from daft.functions import lower, minhash, regexp_replace

BANDS, ROWS = 14, 8

a = arguments(__doc__)
text = regexp_replace(lower(daft.col("text")), r"[^\w]+", " ")
signature = minhash(text, num_hashes=BANDS * ROWS, ngram_size=NGRAM, hash_function="xxhash")
table = daft.read_parquet(a.input).select("id", signature.alias("signature")).to_arrow()
flat = table["signature"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
cluster = components_of_bands(flat.astype(np.uint32).reshape(-1, BANDS * ROWS), BANDS, ROWS)
write_result(a.output, table["id"].to_pylist(), cluster, [c == i for i, c in enumerate(cluster)])
