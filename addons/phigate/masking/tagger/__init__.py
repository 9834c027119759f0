"""The name and place tagger: tokens, lexicon, features, model, and its reader of texts that still grow."""
