"""Best-fit packing of pieces into windows."""
