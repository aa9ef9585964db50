"""Files as streams: inputs, compression, atomic outputs, manifests."""
