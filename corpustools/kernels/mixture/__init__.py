"""Words of records that are drawn among words that are not."""
