"""How a call of a merger ends: `state[0]` then is the number of records that are done."""

# A word has more letters than the workspace has room for: `state[3]` of them.
DONE, MORE_ROOM, UNWRITABLE = range(3)
