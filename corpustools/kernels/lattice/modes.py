"""The modes of a lattice, by the numbers that the kernels know them by (lattice.h).

VITERBI: the best path. VITERBI_F32: the same, added up in float32 as SentencePiece does. SAMPLE: an exact sample.
SAMPLE_WIDE: the same, where weights could leave a double's range. ARRIVAL: Su's first Viterbi Sampling, which draws as
arcs arrive.
"""

VITERBI, VITERBI_F32, SAMPLE, SAMPLE_WIDE, ARRIVAL = range(5)
