"""Which training documents does a text repeat: an index of the corpus, and the search in it.

In: the kept documents of split `train`, as parts. Out: an index, part by part; and for texts all spans of lexemes (see `text.lexemes`) that
they share with a document, as long as they go on, with the document's repository, path, line, license and SWHID.

How: of each part its lexemes are stored as numbers, and of every `every`-th place in it a hash of the `window` lexemes from there on, sorted.
A text is hashed at all of its places; equal hashes are looked up by binary search and extended left and right, lexeme by lexeme, against the
stored numbers. Everything is memory-mapped: a search reads the pages that it hits.

Guarantees: a span of `window + every - 1` lexemes or more (23) that a text shares with a document is found, in full length, whatever stands
around it, wherever it lies in both. Two limits, both stated with the results:
  * Windows of fewer than `distinct` (6) different lexemes are not looked up: tables of zeros and a model's endless loops are no copies.
    A longer span with other windows in it is found, and whole.
  * Of a window that stands at more than `places` (256) places of a part, a license's head for one, the first so many are extended. A span of
    which every window is as frequent is found, but there may be a document in which it goes on longer.
Price: 5 bytes a lexeme for the numbers and lines, 12 / `every` for the hashes: 6.5 bytes a lexeme, about 1.3 times the text.

Rejected: suffix arrays (infini-gram, OLMoTrace, Google's deduplicate-text-datasets), exact for every length, but they need a sorter in C, C++ or
Rust, 5 to 9 times the text in memory while they are built, and 4 or 8 bytes a place on disk; `tests/benchmarks/bench_trace.py` has one beside
ours. Bloom filters of n-grams (BigCode's own membership test): a tenth of the size, but they say "seen" and not where. A search engine (StarCoder's
web search runs Elasticsearch; tantivy): built for words in any order; a span of fifty words has to be found by many phrases and cut to length.
"""
