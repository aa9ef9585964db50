# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Records into the parts that a model segments alone, compiled (the loops: split.h). Twin: plain.py."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memset

include "../buffers.pxi"

cdef extern from "split.h" nogil:
    const int64_t MOST "MOST_CUTTERS"
    const int64_t BLOCK_COUNT "BLOCKS"
    const int64_t SLACK_BYTES "OUT_SLACK"
    ctypedef struct finder_t:
        const uint8_t *firsts
        const uint8_t *seconds
        const uint64_t *units
        const int32_t *actions
    ctypedef struct cutter_t:
        const uint16_t *blocks
        const uint8_t *classes
        const uint16_t *next
        const uint8_t *verdicts
        int total
    ctypedef struct marks_t:
        const uint8_t *prefix
        int64_t prefix_size
        const uint8_t *mark
        int64_t mark_size
        int scheme
        int cuts
        int rewrites
    ctypedef struct program_t:
        finder_t raw
        finder_t normal
        const uint16_t *order_blocks
        const uint8_t *orders
        cutter_t *cutters
        int count
        int space
        const marks_t *marks
    ctypedef struct records_t:
        const uint8_t *data
        int64_t size
        const int64_t *starts
        const int64_t *ends
        int64_t count
        uint8_t *out
        int64_t room
        int64_t growth
        int64_t *offsets
        uint8_t *done
    void prepare_marks(marks_t *)
    int64_t split_records(const program_t *, const records_t *)

MOST_CUTTERS = MOST
OUT_SLACK = SLACK_BYTES


cdef int hold_finder(views *held, object tables, finder_t *finder) except -1:
    """Hold the tokens that are looked for; None: none."""
    if tables is None:
        return 0
    filters, units, actions = tables
    finder.firsts = <const uint8_t *>take(held, filters, 512, False)
    finder.seconds = finder.firsts + 256
    finder.units = <const uint64_t *>take(held, units, 4096, False)
    finder.actions = <const int32_t *>take(held, actions, 4, False)
    return 0


cdef int hold_cutters(views *held, object tables, program_t *program) except -1:
    """Hold the tables of all cutters, which stand one behind another in four buffers."""
    cdef const uint16_t *blocks
    cdef const uint8_t *classes
    cdef const uint16_t *next_rows
    cdef const uint8_t *verdicts
    cdef int64_t class_bytes, rows
    cdef int i
    places, all_blocks, all_classes, all_next, all_verdicts = tables
    program.count = len(places)
    if program.count > MOST:
        raise ValueError(f"{program.count} cutters")
    blocks = <const uint16_t *>take(held, all_blocks, 2 * BLOCK_COUNT * program.count, False)
    classes = <const uint8_t *>take(held, all_classes, 0, False)
    class_bytes = taken(held)
    verdicts = <const uint8_t *>take(held, all_verdicts, 0, False)
    rows = taken(held)
    next_rows = <const uint16_t *>take(held, all_next, 2 * rows, False)
    for i in range(program.count):
        first_class, first_entry, bytewise, total = places[i]
        if not 0 <= first_class < class_bytes or not 0 <= first_entry < rows:
            raise ValueError(f"cutter {i} lies outside the tables")
        if not bytewise:
            program.cutters[i].blocks = blocks + BLOCK_COUNT * i
        program.cutters[i].classes = classes + <int64_t>first_class
        program.cutters[i].next = next_rows + <int64_t>first_entry
        program.cutters[i].verdicts = verdicts + <int64_t>first_entry
        program.cutters[i].total = total
    return 0


cdef int hold_marks(views *held, object rule, marks_t *marks) except -1:
    """Hold what spaces become."""
    mark, prefix, marks.scheme, marks.cuts, marks.rewrites = rule
    marks.mark = <const uint8_t *>take(held, mark, 1, False)
    marks.mark_size = taken(held)
    marks.prefix = <const uint8_t *>take(held, prefix, 0, False)
    marks.prefix_size = taken(held)
    if marks.mark_size > 4 or marks.prefix_size > 32:
        raise ValueError("a mark of more than 4 bytes, or a prefix of more than 32")
    prepare_marks(marks)
    return 0


cdef int hold_program(views *held, object tables, program_t *program, marks_t *marks) except -1:
    """Hold all tables."""
    raw, normal, orders, cutters, program.space, mark_rule = tables
    hold_finder(held, raw, &program.raw)
    hold_finder(held, normal, &program.normal)
    if orders is not None:
        program.order_blocks = <const uint16_t *>take(held, orders[0], 2 * BLOCK_COUNT, False)
        program.orders = <const uint8_t *>take(held, orders[1], 256, False)
    if mark_rule is not None:
        hold_marks(held, mark_rule, marks)
        program.marks = marks
    elif cutters is not None:
        hold_cutters(held, cutters, program)
    return 0


def split(program, data, starts, ends, int64_t growth, out, offsets, done):
    """Write the marked bytes of records one after another, and say of each whether it was done here.

    Args:
        program: raw, normal, orders, cutters, space, marks; what the tables of corpustools.stages.tokenize.text.hf_fast
            are, whose contents it has made sure of.
        data: the text.
        starts: first byte of each record, int64.
        ends: end of each record, int64.
        growth: no byte of a record becomes more bytes than that.
        out: receives the marked bytes; it has `growth` bytes for each byte of the records, and OUT_SLACK more for
            each record and once more.
        offsets: offsets[i + 1] receives the end of record i in `out`, int64; one more than records.
        done: receives 1 for each record that was done, 0 for any other, which has no bytes; uint8.
    """
    # The tables and the records: one of them has not room for all.
    cdef views tables
    cdef views held
    cdef program_t rules
    cdef marks_t marks
    cdef records_t records
    cdef int64_t reached
    tables.count = held.count = 0
    memset(&rules, 0, sizeof(rules))
    if growth < 1:
        raise ValueError(f"a growth of {growth}")
    try:
        hold_program(&tables, program, &rules, &marks)
        records.data = <const uint8_t *>take(&held, data, 0, False)
        records.size = taken(&held)
        records.starts = <const int64_t *>take(&held, starts, 0, False)
        records.count = taken(&held) // 8
        records.ends = <const int64_t *>take(&held, ends, 8 * records.count, False)
        records.out = <uint8_t *>take(&held, out, 0, True)
        records.room = taken(&held)
        records.growth = growth
        records.offsets = <int64_t *>take(&held, offsets, 8 * (records.count + 1), True)
        records.done = <uint8_t *>take(&held, done, records.count, True)
        with nogil:
            reached = split_records(&rules, &records)
        if reached < records.count:
            raise ValueError(f"record {reached} lies outside the data, or what it becomes outside the output")
    finally:
        release(&held)
        release(&tables)
