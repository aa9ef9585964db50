"""The stages of the pipe, one package each; they do not know each other."""
