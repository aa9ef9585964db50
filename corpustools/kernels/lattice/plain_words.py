"""Words of records, each a lattice of its own, in plain Python: the twin of words.pxi."""

from __future__ import annotations

from typing import Any

from corpustools.kernels.lattice.plain_forward import moments, record_draw_state

_MASK = (1 << 64) - 1


def segment_words(
    lattice: Any, text: Any, offsets: Any, count: int, *, words: Any, last: Any, mode: int, seed: Any,
    first_record: int, first_sample: int, samples: int, out: Any, ends: Any, first: int = 0, **workspace: Any,
) -> int:  # fmt: skip
    """Segment some words of records; return how many segmentations are done.

    Segmentation s is sample s % samples of record s // samples, and its words are those before last[s]. A draw is keyed
    by where in its record it falls, as if the whole record were segmented.

    Args:
        lattice: the vocabulary, plain.Lattice.
        text: the normalised text of all records.
        offsets: where each record begins, and the end, int64, shape (count + 1,).
        count: how many records.
        words: the first byte of each word in `text` and its end, int64, shape (n, 2), by segmentation.
        last: how many words there are up to the end of each segmentation, int64, shape (count * samples,).
        mode: one of the modes.
        seed: the two words of the key, uint64.
        first_record: the number of the first record.
        first_sample: the number of its first sample.
        samples: how many segmentations of each record.
        out: receives the ids, int32: one a byte of the words, and OUT_SLACK more.
        ends: receives where each word ends in `out`, int64, shape (n,).
        first: how many segmentations are done already.
        **workspace: memory, of which the twin needs none.

    Returns:
        How many are done, fewer than all where `codes` has to grow; or -1 - s where s cannot be written.
    """
    data = memoryview(text)
    word = int(last[first - 1]) if first else 0
    used = int(ends[word - 1]) if word else 0
    for s in range(first, count * samples):
        record, sample = divmod(s, samples)
        draw_state = record_draw_state((first_record + record) & _MASK, (first_sample + sample) & _MASK, seed)
        for i in range(word, int(last[s])):
            begin, end = map(int, words[i])
            part = bytes(data[begin:end])
            ids = lattice.write(part, lattice.path(part, mode, draw_state, begin - int(offsets[record]))[0])
            if -1 in ids:
                return -1 - s
            out[used : used + len(ids)] = ids
            ends[i] = used = used + len(ids)
        word = int(last[s])
    return count * samples


def measure_words(lattice: Any, log_weights: Any, ring: Any, text: Any, words: Any, seen: Any, out: Any) -> None:
    """Write log Z, entropy and expected number of tokens of each word.

    Args:
        lattice: the vocabulary, plain.Lattice with the weights of SAMPLE_WIDE.
        log_weights: logarithms of the weights, by code, float64.
        ring: memory of the kernel: a power of two of MOMENT_SIZE bytes, more than the longest piece has bytes.
        text: the normalised text.
        words: the first byte of each word in `text` and its end, int64, shape (n, 2).
        seen: memory of the kernel: a power of two of int64.
        out: receives the three numbers of each word, float64, shape (n, 3).
    """
    data = memoryview(text)
    for i, (begin, end) in enumerate(words.tolist()):
        log_z = entropy = length = 0.0
        for segment_z, surprise, tokens in moments(lattice, bytes(data[begin:end]), log_weights):
            log_z += segment_z
            entropy += segment_z - surprise
            length += tokens
        out[i] = log_z, entropy, length
