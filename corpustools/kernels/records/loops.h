/* The loops over records, for one instruction set: dispatch.h includes this once for each. Their order matters; the
 * lines between them keep formatters from sorting them. */
#include "checksum_loops.h"

#include "delimiter_loops.h"

#include "key_loops.h"

#include "stream_loops.h"

#include "scatter_loops.h"

#include "sift_loops.h"

#include "redistribute_loops.h"

#include "gather_loops.h"

#undef SUM_TYPE
#undef SUM_ZERO
#undef SUM_TOTAL
