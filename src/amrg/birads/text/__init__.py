"""The text itself: plain characters, its language, tokens, spelling, and the words that reports use."""
