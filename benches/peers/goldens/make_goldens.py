#!/usr/bin/env python3
"""Computes MinHash signatures with the tools that limpid's presets are to equal, and writes them as test goldens.

    python make_goldens.py --bigcode DIR --rpv2 DIR --slimpajama DIR --out udfs/src/kernels/presets/goldens
    python make_goldens.py ... --out FOLDER --parquet FILE --limit 500     # any file with a column `text`

DIR are checkouts that are not part of limpid: bigcode-project/bigcode-dataset, togethercomputer/RedPajama-Data,
Cerebras/modelzoo. Their own functions are called; modules they import and that have no part in a signature (pyspark,
lm_dataformat, jsonlines, nltk's corpora) are replaced by empty ones. From PyPI: datatrove==0.10.0, spacy==3.8.*,
datasketch==1.5.9 (the version SlimPajama pins), nltk, regex, numpy, scipy, xxhash<4 (and pyarrow for --parquet).

fineweb is datatrove's MinhashDedupSignature with the hash of its examples/fineweb.py and language "eng", for which
datatrove >= 0.4 (2024-12) loads spaCy's rule tokenizer: nltk and its punkt data take no part any more.

Output: texts.json (the texts) and one file a preset: the tool, its numbers of bands and rows, and for each text
[first 16 values, xxh3_64 of all values as little-endian u64 in hex, number of distinct shingles], or null where the
tool has no signature.
"""
import argparse, importlib, importlib.metadata, importlib.util, json, platform, struct, sys, tempfile, types, unicodedata
from pathlib import Path

import numpy as np
import xxhash

WORDS = "the quick brown fox jumps over the lazy dog while seven wizards box five dozen liquor jugs".split()


def texts():
    """Made-up texts: each names a class of input that the tools treat in a way of its own."""
    en = "The committee met on Tuesday to review the harbour plan, and after a long debate it was sent back for changes."
    t = ["", " ", "\n\t \r\n", ".", "!!!!!!", "a", "one two three four", "one two three four five", "a b c d e f g h i j k l",
         "a b c d e f g h i j k l m", "abcdefghijkl", "abcdefghijklm", "......,,,,,;;;;;:::::", en, en.upper(), en.replace(" ", "\n\n"),
         en.replace(",", ""), en.replace("Tuesday", "TUESDAY  "), "\ufeff" + en, en + "\x00\x07\x1c\x1d\x1e\x1f\x7f\x85\x9f tail\u00a0end\u3000now"]
    t += [  # numbers
        "In 1999 it cost 1,234.56 dollars, in 2024 it cost 12,345,678.90 dollars; 3.14159 is not 22/7 and 10.0.0.1 is no number.",
        "|$17.56||1|\n|$15.37||2599|\n|4|5|6|7|8|9|10|11|12|13|14|15|16|",
        "Weights: 5kg 10 km 3m² 7cm 9lb 100mph 20°C 15gb 4oz 6ft 8in 2ha 30µm 12yd 1t, not 5x or 6kgs or 7 kg.",
        "Prices: 5€ 6£ 7¥ €8 £9 ₹100 20₽ ₿3 ¢50 and 5 % or 6‰ of it, 1st 2nd 3rd, 0x1F, 1e10, x1 y2 z3, 4ever.",
        "٣٫١٤ و ١٢٣ و ٤٥٦ सोलह १६ ሰባት ৭৮৯ 四五六 ４２ ６．５ १,२ 𝟙𝟚𝟛 ²³¹ ⅓ Ⅷ ① and so on until the very end of this line"]
    t += [  # contractions, quotes, joined tokens
        "I don't know what they'll say, she's not here, we've gone, it's John's car, y'all can't've seen that, o'clock, rock'n'roll.",
        "I dont know what theyll say, shes not here, weve gone, its johns car, yall cantve seen that, im gonna wanna gotta, cannot, ima, aint",
        "She said \u2018s and it\u2018s odd that \u2018\u2018s or \u2018s\u201a should matter, \u201ctwo\u201d \u201athree\u2018 \u00abfour\u00bb \u2039five\u203a \u300eseven\u300f \u27e6eight\u27e7 end",
        "well-known state-of-the-art e-mail, snake_case_name, CamelCaseName, kebab-case, a/b/c, x=y, a<b>c, p->q, C++ C# F# .NET, foo::bar();",
        "See https://www.example.org/a/b?c=d&e=f#g or mail jane.doe+tag@mail.example.com, at 10:30am or 11 p.m. in the U.S.A. or the U.K. etc."]
    t += [  # code
        "fn main() {\n    let x: Vec<u32> = (0..10).map(|i| i * 2).collect();\n    println!(\"{x:?}\"); // prints\n}\n",
        "def f(a, b=1, *c, **d):\n\treturn {k: v for k, v in d.items() if k not in c} or [a, b]\n\n\nclass A(B):\n    pass\n",
        "#include <stdio.h>\nint main(void) { for (int i = 0; i < 10; ++i) printf(\"%d\\n\", i); return 0; }",
        "x y  z   w    v     u      t       s        r         q          p           o            n             m"]
    t += [  # scripts
        "Der Ausschuß trat am Dienstag zusammen, prüfte die Pläne für den Hafen und schickte sie nach langer Debatte über Änderungen zurück.",
        "STRASSE, Straße, GROẞ und groß: ÄÖÜ äöü; die Übergröße der Fußgängerübergänge überraschte den außergewöhnlich müden Zöllner in Köln.",
        "L'été dernier, à Nîmes, j'ai vu où le maître d'hôtel s'était caché : « c'est là-bas, près du château », dit-il, très gêné, au garçon.",
        "Η ΕΠΙΤΡΟΠΗ ΣΥΝΗΛΘΕ ΤΗΝ ΤΡΙΤΗ ΓΙΑ ΝΑ ΕΞΕΤΑΣΕΙ ΤΑ ΣΧΕΔΙΑ ΤΟΥ ΛΙΜΑΝΙΟΥ. ΟΔΥΣΣΕΥΣ, ΟΣΑ ΣΑΣ Σ ΑΣ'Σ; ΤΕΛΟΣ\u037e και άλλα·",
        "Η επιτροπή συνήλθε την Τρίτη για να εξετάσει τα σχέδια του λιμανιού και, μετά από μακρά συζήτηση, τα επέστρεψε για αλλαγές.",
        "Комиссия собралась во вторник, чтобы обсудить план гавани; после долгих споров его вернули на доработку: 5км, 7кг, 3 м. Ёлка, йод, їжак.",
        "委员会周二开会审查港口计划，经过长时间的辩论，该计划被退回修改。我们 认为 这 是 一个 很 好 的 决定 ， 对 所有 人 都 有 好处 。",
        "委員会は火曜日に港湾計画を検討し、長い議論の末、修正のため差し戻した。カタカナ ﾊﾝｶｸ ガギグゲゴ ぱぴぷぺぽ が 一 二 三 四 五 六",
        "위원회는 화요일에 항구 계획을 검토하기 위해 모였고 긴 토론 끝에 수정을 위해 반려되었다 그리고 다음 주에 다시 만나기로 했다 한다",
        "اجتمعت اللجنة يوم الثلاثاء لمراجعة خطة الميناء، وبعد نقاش طويل أُعيدت للتعديل؛ هل هذا صحيح؟ نعم، ٥كم و ٧كغ و 3م من هنا۔",
        "הוועדה התכנסה ביום שלישי כדי לבחון את תוכנית הנמל, ולאחר דיון ארוך היא הוחזרה לשינויים. שָׁלוֹם עֲלֵיכֶם־חֲבֵרִים ׀ צה״ל ג׳ירפה",
        "समिति की बैठक मंगलवार को बंदरगाह योजना की समीक्षा के लिए हुई। लंबी बहस के बाद इसे बदलाव के लिए वापस भेज दिया गया॥ ठीक है न",
        "คณะกรรมการประชุมกันในวันอังคารเพื่อทบทวนแผนท่าเรือ และหลังจากการอภิปรายอันยาวนาน ก็ถูกส่งกลับ ฿100 100฿ ๑๒๓ เพื่อ แก้ไข อีก ครั้ง หนึ่ง",
        "Ủy ban họp vào thứ Ba để xem xét kế hoạch cảng, và sau một cuộc tranh luận dài, kế hoạch đã được gửi lại để sửa đổi.",
        "İSTANBUL'da IĞDIR'lı ısı ile İzmir'in Şişli'si ve ÇOK GÜZEL bir gün; ǅ ǈ ŉ ǰ ΐ ﬁ ﬂ ﬀ Ⅳ ª º ß ẞ K Å ends here"]
    t += [  # marks, symbols, emoji
        "e\u0301te\u0301 a\u030a\u0301 o\u0323\u0302 cafe\u0301 \u0301alone \u0301 \u0344 x\u0336y\u0336z\u0336 q\u0307\u0323 s\u0323\u0307 \u1e9b\u0323 d\u0323 \u212b end of marks here",
        "a\u0338b c\u2260d e\u226ef g\u226fh 0\u2260x \u03b1\u2260\u03b2 1\u22602 \u2260 \u226e \u226espace\u226f \u1fef \u1ffd \u0387 \u2329x\u232a relations that come apart",
        "Great 👍🏽 job 🎉🎉! Family 👨‍👩‍👧‍👦, flag 🇩🇪🇫🇷, heart ❤️, keycap 1️⃣, text☂text, ©2024 Acme™, 20°C, №5, §12, ¶3, †, ‡, •a •b, 5★ end",
        "a©b ©a a© ©© a©©b 1©2 ©cannot cannot© x→y ⇒z ≤5 ≥6 ±7 ×8 ÷9 √2 ∞ ∑ ∂x ⌘C ☃☃ ♥you ✓done ✗not █▓▒░ ─┼─ ◆ end",
        "zero\u200bwidth join\u200der non\u200cjoiner soft\u00adhyphen bom\ufeffinside ltr\u200emark word\u2060joiner line\u2028sep para\u2029sep \u180e nb\u202fsp \u205f end here",
        "private \ue000 use \uf8ff area \U000f0000 unassigned \u0378 \ufffe specials \ufffd \ufffc tags \U000e0041 math 𝒜𝔅𝕮 𝐚𝐛𝐜 old 𐌰𐌱 𐐀𐐁 cuneiform 𒀀𒀁 end"]
    t += [  # long and repeated
        "spam " * 300, "ab" * 400, " ".join(WORDS[(i * i + 3 * i) % len(WORDS)] for i in range(200)),
        " ".join(f"w{i % 37}x{i % 11}" for i in range(150)), "\n".join([en] * 6), "".join(chr(0x4e00 + 7 * i) for i in range(120)),
        " ".join(chr(97 + i % 26) * (1 + i % 5) for i in range(90)) + "."]
    return t


def stub(*names):
    """Empty modules for imports that take no part in a signature."""
    class Anything(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = Anything(name)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fineweb(_):
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.utils.hashing import HashConfig
    config = MinhashConfig(hash_config=HashConfig(hash_fc="sha1", precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5)
    step = MinhashDedupSignature(tempfile.mkdtemp(), config=config, language="eng")

    def sign(text):
        shingles = step.get_shingles(text)
        if shingles.size == 0:
            return None
        return sum(step.get_signature(shingles), []), len(np.unique(shingles))
    return sign, (config.num_buckets, config.hashes_per_bucket)


def bigcode(folder):
    stub("pyspark", "pyspark.sql")
    m = load(folder / "near_deduplication/minhash_deduplication_spark.py")
    n = 256
    perms = np.array([(m.RNG.randint(1, m.MERSENNE_PRIME, dtype=np.uint64), m.RNG.randint(0, m.MERSENNE_PRIME, dtype=np.uint64))
                      for _ in range(n)], dtype=np.uint64).T

    def sign(text):
        count = len(set(m.ngrams(m.NON_ALPHA.split(text), 5, 5)))
        (_, band, _), = m.generate_hash_values(text, 0, n, 5, [(0, n)], perms, 5)
        return np.frombuffer(band, dtype=np.uint64).byteswap().tolist(), count
    return sign, m.optimal_param(0.7, n)


def rpv2(folder):
    sys.path.insert(0, str(folder / "app/src"))
    stub("nltk")
    from core.document import Document
    from dedupe.minhash import MinHash
    from dedupe.utils import optimal_param
    tool = MinHash(similarity_thresholds=[1.0], ngram_size=13, num_permutations=128, seed=42)  # 1.0: one band of all 128

    def sign(text):
        words = Document(text, None).normalized_words
        bands = tool.compute_banded_signatures(words)["signature_sim1.0"]
        if bands is None:
            return None
        return np.frombuffer(bands[0], dtype=np.uint32).byteswap().tolist(), len({words[i:i + 13] for i in range(len(words) - 12)})
    return sign, optimal_param(0.7, 128)


def slimpajama(folder):
    stub("lm_dataformat", "jsonlines", "tqdm", "more_itertools")
    m = load(folder / "src/cerebras/modelzoo/data_preparation/nlp/slimpajama/dedup/to_hash.py")
    m.tqdm = lambda it, **_: it
    from datasketch.lsh import _optimal_param

    def sign(text):
        (bucket,) = m.to_minhash(([(text, "folder/file.jsonl", 0)], "", 13, "c4", 1))
        return bucket["hash"].hashvalues.tolist(), len(set(m.get_features(text, 13)))
    return sign, _optimal_param(0.8, 128, 0.5, 0.5)


def tool(name):
    """What computed the goldens, for their header."""
    used = {
        "fineweb": "datatrove {datatrove} (SHA-1, eng) with spaCy {spacy}; NLTK and its punkt data are not used",
        "bigcode": "bigcode-dataset minhash_deduplication_spark.py",
        "slimpajama": "modelzoo slimpajama to_hash.py, width 13, with datasketch {datasketch}",
        "rpv2": "RedPajama-Data app/src/dedupe",
    }[name] + "; numpy {numpy}; Python {python}, Unicode {unicode}"
    versions = {p: importlib.metadata.version(p) for p in ("datatrove", "spacy", "datasketch", "numpy")}
    return used.format(python=platform.python_version(), unicode=unicodedata.unidata_version, **versions)


def main():
    p = argparse.ArgumentParser()
    for name in ("bigcode", "rpv2", "slimpajama"):
        p.add_argument("--" + name, type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--parquet")
    p.add_argument("--limit", type=int, default=500)
    args = p.parse_args()
    if args.parquet:
        import pyarrow.parquet as pq
        all_texts = pq.read_table(args.parquet, columns=["text"])["text"].to_pylist()
        docs = all_texts[:: max(1, len(all_texts) // args.limit)][: args.limit]
    else:
        docs = texts()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "texts.json").write_text(json.dumps(docs, ensure_ascii=True, indent=0) + "\n")
    for name, make in (("fineweb", fineweb), ("bigcode", bigcode), ("slimpajama", slimpajama), ("rpv2", rpv2)):
        sign, (bands, rows) = make(getattr(args, name, None))
        lines = []
        for text in docs:
            got = sign(text)
            if got is not None:
                values, distinct = got
                digest = xxhash.xxh3_64_hexdigest(struct.pack(f"<{len(values)}Q", *values))
                got = [values[:16], digest, distinct]
            lines.append(json.dumps(got, separators=(",", ":")))
        body = ",\n".join(lines)
        (args.out / f"{name}.json").write_text(f'{{"tool":"{tool(name)}","bands":{bands},"rows":{rows},"signatures":[\n{body}\n]}}\n')
        print(name, len(docs), "texts,", sum(line == "null" for line in lines), "without signature", flush=True)


if __name__ == "__main__":
    main()
