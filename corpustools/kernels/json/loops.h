/* The loops over JSON lines, for one instruction set: dispatch.h includes this once for each. Their order matters; the
 * lines between them keep formatters from sorting them. */
#include "utf8_loops.h"

#include "string_loops.h"

#include "line_loops.h"
