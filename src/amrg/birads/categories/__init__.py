"""Categories in a text: where they are, of which scale, and which of them is the assessment."""
