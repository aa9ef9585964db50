"""Looking at what a model or an output holds, without changing it."""
